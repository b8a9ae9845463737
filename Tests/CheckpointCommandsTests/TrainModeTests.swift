import ByteIO
import Checkpoint
import Foundation
import JSON
import ModelGraph
import Models
import Tensors
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt train: modes")
struct TrainModeTests {
  private let folder = TemporaryFolder()
  private let text = Fixtures.path("text/heldout.txt")
  private let source = Fixtures.path("tiny-arithmetic")

  private func package(_ dialect: String = "raven") throws -> String {
    let path = folder.file("package-" + dialect)
    let done = try outcome(
      Retrofit.self,
      [
        source, "--prelude", "1", "--core", "1", "--coda", "1", "--dialect", dialect, "-o", path,
      ])
    #expect(done.code == 0, "\(done.notes)")
    return path
  }

  private func train(_ model: String, _ arguments: [String], to run: String) throws -> Outcome {
    try outcome(
      Train.self,
      [model, "-o", folder.file(run), "--cache", folder.file("cache"), "--data", text]
        + ["--batch-size", "2", "--sequence-length", "24", "--mean-recurrence", "2"]
        + ["--set", "evaluation.rows=2", "--eval-recurrence", "1"] + arguments)
  }

  /// The records of a run's steps.
  private func metrics(_ run: String) throws -> [JSONValue] {
    let lines = try String(contentsOfFile: folder.file(run + "/metrics.jsonl"), encoding: .utf8)
    return try lines.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
  }

  private func floats(_ checkpoint: Checkpoint, _ name: TensorName) throws -> [Float] {
    let record = try #require(checkpoint.record(name), "\(name)")
    var values = [Float](repeating: 0, count: record.elementCount)
    var span = values.mutableSpan
    try checkpoint.readFloats(name, elements: 0..<record.elementCount, into: &span)
    return values
  }

  private static let lora = [
    "--mode", "lora", "--lora-rank", "2", "--optimizer", "adamw", "--learning-rate", "0.01",
  ]

  @Test(
    "mode adapter trains what stands in the adapter's place, and nothing else",
    arguments: ["diagonal", "gated"])
  func withoutAdapter(kind: String) throws {
    let path = folder.file(kind)
    let made = try outcome(
      Retrofit.self,
      [source, "--prelude", "1", "--core", "1", "--coda", "1", "-o", path]
        + ["--adapter", kind])
    #expect(made.code == 0, "\(made.notes)")
    let part = kind == "diagonal" ? "decay" : "gate"
    let card = try String(contentsOfFile: path + "/README.md", encoding: .utf8)
    #expect(made.output.contains("\n\(part) ") && card.contains("\n| \(part) | |"))
    #expect(try outcome(Inspect.self, [path]).output.contains("\n  \(part) "))
    let done = try train(
      path,
      ["--steps", "3", "--recurrence", "3", "--mode", "adapter", "--optimizer", "adamw"]
        + ["--learning-rate", "0.1"], to: "trained")
    #expect(done.code == 0, "\(done.notes)")
    let (before, after) = (
      try Checkpoint.open(path), try Checkpoint.open(folder.file("trained/package"))
    )
    for tensor in before.tensors {
      let isSame = try floats(before, tensor.name) == floats(after, tensor.name)
      let isTrained = ["decay", "gate"].contains { tensor.name.string.contains(".\($0).") }
      #expect(isSame == !isTrained, "\(tensor.name)")
    }
    let verified = try outcome(Verify.self, [folder.file("trained/package")])
    #expect(verified.code == 0, "\(verified.output)")
  }

  @Test("a penalty on the last step makes it smaller, and metrics say so")
  func settling() throws {
    let package = try package()
    func steps(_ weight: String) throws -> [JSONValue] {
      let run = "settling-" + weight
      let done = try train(
        package,
        ["--steps", "30", "--recurrence", "4", "--optimizer", "adamw", "--learning-rate", "0.003"]
          + ["--set", "recurrence.settling=" + weight], to: run)
      #expect(done.code == 0, "\(done.notes)")
      return try metrics(run)
    }
    #expect(try steps("0").allSatisfy { $0["settling"] == nil })
    let (weak, strong) = (
      try steps("0.000001").compactMap { $0["settling"]?.double },
      try steps("1").compactMap { $0["settling"]?.double }
    )
    #expect(weak.count == 30 && strong.count == 30)
    #expect(weak.first == strong.first)
    #expect(try #require(strong.last) < 0.5 * #require(weak.last))
  }

  @Test("losses of shallower states are told by metrics, fall, and are paid for")
  func supervision() throws {
    let package = try package()
    func steps(_ name: String, _ more: [String]) throws -> [JSONValue] {
      let done = try train(
        package,
        ["--steps", "30", "--recurrence", "4", "--optimizer", "adamw", "--learning-rate", "0.003"]
          + more, to: name)
      #expect(done.code == 0, "\(done.notes)")
      return try metrics(name)
    }
    let depths = ["--set", "recurrence.supervision.depths=3"]
    let plain = try steps("plain", [])
    #expect(plain.allSatisfy { $0["supervision"] == nil })
    let supervised = try steps("supervised", depths)
    let losses = supervised.compactMap { $0["supervision"]?.double }
    #expect(losses.count == 30 && losses[29] < 0.8 * losses[0])
    let costs = [plain, supervised].map { $0.last?["flops_full"]?.double ?? 0 }
    #expect(costs[1] > costs[0])
    let shallow = try steps("shallow", depths + ["--recurrence", "1"])
    #expect(shallow.allSatisfy { $0["supervision"]?.double == 0 })
  }

  @Test("a depth for each sequence is what micro-batches of one sequence draw")
  func perSequence() throws {
    // A random start depends on which sequences run together.
    let package = folder.file("zero")
    let made = try outcome(
      Retrofit.self,
      [
        Fixtures.path("tiny-arithmetic"), "--prelude", "1", "--core", "2", "--coda", "1",
        "--state", "zero", "-o", package,
      ])
    #expect(made.code == 0, "\(made.notes)")
    func steps(_ name: String, _ more: [String]) throws -> [JSONValue] {
      let done = try train(
        package,
        ["--batch-size", "8", "--mean-recurrence", "3", "--set", "recurrence.mean.shape=constant"]
          + ["--optimizer", "adamw", "--learning-rate", "1e-5"] + more, to: name)
      #expect(done.code == 0, "\(done.notes)")
      return try metrics(name)
    }
    let own = ["--set", "recurrence.per_sequence=true"]
    let one = try steps("one", ["--steps", "4", "--micro-batch-size", "1"])
    let shared = try steps("shared", ["--steps", "4", "--micro-batch-size", "8"])
    #expect(one.map { $0["recurrence"] } != shared.map { $0["recurrence"] })
    for (name, size, flops) in [
      ("four", "4", nil), ("eight", "8", one.last?["flops_full"]?.double),
    ] {
      // So many FLOPs pay for as many steps.
      let length = flops.map { ["--flops", "\($0 * 1.000001)"] } ?? ["--steps", "4"]
      let found = try steps(name, own + length + ["--micro-batch-size", size])
      #expect(found.count == 4)
      for (a, b) in zip(found, one) {
        for key in ["recurrence", "backprop_depth"] { #expect(a[key] == b[key]) }
        for (key, limit) in [("loss", 1e-6), ("grad_norm", 1e-5), ("flops_full", 1e-9)] {
          let (value, wanted) = (a[key]?.double ?? .nan, b[key]?.double ?? .nan)
          #expect(abs(value - wanted) <= limit * wanted, "\(name), \(key)")
        }
      }
    }
  }

  @Test(
    "the package holds W + alpha / rank · B · A of the factors", arguments: ["raven", "native"])
  func lowRank(dialect: String) throws {
    let package = try package(dialect)
    let done = try train(
      package, Self.lora + ["--steps", "3", "--set", "lora.matrices=query,value,down"], to: "run")
    #expect(done.code == 0, "\(done.notes)")
    let (before, after) = (try OpenedModel(package), try OpenedModel(folder.file("run/package")))
    let factors = try Checkpoint.open(
      folder.file("run/factors/adapter_model.safetensors"))
    let config = try JSONValue(
      parsing: ByteRegion(path: folder.file("run/factors/adapter_config.json"))
        .contents(limit: 1 << 20))
    let modules = try #require(config["target_modules"]?.array).compactMap(\.string)
    var adapted = 0
    for parameter in before.graph.parameters {
      let (old, new) = (
        try floats(before.checkpoint, parameter.name), try floats(after.checkpoint, parameter.name)
      )
      let module = String(parameter.name.string.dropLast(7))
      guard modules.contains(module) else {
        let isAdapter = parameter.name == before.graph.recurrence?.adapter?.name
        #expect((old == new) == !isAdapter, "\(parameter.name)")
        continue
      }
      adapted += 1
      let a = try floats(factors, TensorName("base_model.model.\(module).lora_A.weight"))
      let b = try floats(factors, TensorName("base_model.model.\(module).lora_B.weight"))
      let (rows, columns) = (parameter.shape[0], parameter.shape[1])
      let rank = a.count / columns
      let alpha = config["alpha_pattern"]?[module]?.double ?? config["lora_alpha"]?.double
      let scale = try #require(alpha) / Double(rank)
      var worst = 0.0
      for row in 0..<rows {
        for column in 0..<columns {
          let product = (0..<rank).reduce(0.0) {
            $0 + Double(b[row * rank + $1]) * Double(a[$1 * columns + column])
          }
          let want = Double(old[row * columns + column]) + scale * product
          worst = max(worst, abs(Double(new[row * columns + column]) - want))
        }
      }
      #expect(worst < 1e-6, "\(module)")
      #expect(old != new, "\(module)")
    }
    // Query and value are one tensor in the published dialect.
    #expect(adapted == before.graph.blocks.count * (dialect == "raven" ? 2 : 3))
  }

  @Test("keeps state of the factors alone, and resumes with the same losses")
  func resumes() throws {
    let package = try package()
    let arguments = Self.lora + ["--steps", "5", "--checkpoint-every", "2"]
    #expect(try train(package, arguments, to: "whole").code == 0)
    #expect(try train(package, arguments, to: "part").code == 0)
    let part = folder.file("part")
    let state = try Checkpoint.open(part + "/checkpoints/step-4/trainer_state.safetensors")
    let sizes = state.tensors.map(\.elementCount)
    // The adapter is trained whole, all else by factors of rank 2.
    let parameters = try OpenedModel(package).graph.parameters.reduce(0) { $0 + $1.elementCount }
    #expect(sizes.count == 3 && sizes.allSatisfy { $0 < parameters / 4 })
    let manager = FileManager.default
    try manager.removeItem(atPath: part + "/package")
    let other = try train(self.package("native"), arguments + ["--resume"], to: "part")
    #expect(other.code == 64)
    #expect(other.notes.contains("another model"))
    #expect(try train(package, arguments + ["--resume"], to: "part").code == 0)
    let weights = "/package/model.safetensors"
    #expect(
      manager.contentsEqual(atPath: part + weights, andPath: folder.file("whole") + weights))
  }

  @Test("writes the factors alone where that was asked for")
  func factorsOnly() throws {
    let package = try package()
    let done = try train(
      package, Self.lora + ["--steps", "2", "--factors-only", "--checkpoint-every", "1", "--json"],
      to: "run")
    #expect(done.code == 0, "\(done.notes)")
    #expect(done.json?["package"] == .null)
    #expect(try pathKind(folder.file("run/package")) == nil)
    #expect(try pathKind(folder.file("run/checkpoints/step-1/package")) == nil)
    #expect(try folderEntries(folder.file("run/factors")).count == 2)
    #expect(try train(package, ["--factors-only"], to: "full").code == 64)
  }

  @Test("learns from a teacher, whose forward pass the full count holds")
  func teacher() throws {
    let package = try package()
    let arguments = ["--steps", "2", "--recurrence", "1", "--json"]
    let plain = try train(package, arguments, to: "plain")
    let taught = try train(package, arguments + ["--teacher", source], to: "taught")
    #expect(taught.code == 0, "\(taught.notes)")
    let line = try #require(
      String(contentsOfFile: folder.file("taught/metrics.jsonl"), encoding: .utf8)
        .split(separator: "\n").first)
    let divergence = try JSONValue(parsing: Array(line.utf8))["divergence"]?.double
    #expect(try #require(divergence) > 0)
    #expect(plain.json?["flops"] == taught.json?["flops"])
    let graph = try OpenedModel(source).graph
    let blocks = graph.blocks.reduce(0) {
      $0 + $1.parameters.reduce(0) { $0 + $1.parameter.elementCount }
    }
    let seen = Double(graph.blocks.count * 2 * graph.sizes.queryWidth) * 25 / 2
    let forward = 2 * (Double(blocks + graph.embedding.elementCount) + seen) * 2 * 48
    let difference =
      try #require(taught.json?["flops_full"]?.double) - #require(plain.json?["flops_full"]?.double)
    #expect(abs(difference / forward - 1) < 1e-9)
    let other = Fixtures.path("golden/tiny-llama/source")
    let refused = try train(package, ["--teacher", other], to: "never")
    #expect(refused.code == 64)
    #expect(refused.notes.contains("vocabulary"))
  }

  @Test("two phases: healing, then the task from what was healed")
  func phases() throws {
    let package = try package()
    // The presets' r̄ of 32 and 4, at this size.
    let small = ["--steps", "2", "--mean-recurrence", "3"]
    #expect(try train(package, ["--preset", "healing"] + small, to: "one").code == 0)
    let healed = folder.file("one/package")
    let second = try train(healed, ["--preset", "task"] + small, to: "two")
    #expect(second.code == 0, "\(second.notes)")
    let manifest = try JSONValue(
      parsing: ByteRegion(path: folder.file("two/package/manifest.json")).contents(limit: 1 << 24))
    #expect(manifest["training"]?.array?.count == 2)
    #expect(try outcome(Verify.self, [folder.file("two/package")]).code == 0)
    let asked = try train(package, ["--preset", "two-phase"], to: "never")
    #expect(asked.code == 64)
    #expect(asked.notes.contains("--preset task"))
  }

  /// Prompts and completions of very different shares.
  private func masked() throws -> String {
    let lines = (0..<60).map { i in
      let (long, short) = (String(repeating: "\(i)+1=", count: 12), "\(i % 7)")
      return i % 2 == 0
        ? #"{"prompt":"\#(long)","completion":"\#(short)"}"#
        : #"{"prompt":"\#(short)","completion":"\#(long)"}"#
    }
    return try folder.write(Array(lines.joined(separator: "\n").utf8), to: "masked.jsonl")
  }

  @Test(
    "with masks, loss and gradient do not depend on how a step is cut",
    arguments: [[], ["--set", "distillation.teacher=TEACHER", "--set", "distillation.mix=0.5"]])
  func weights(more: [String]) throws {
    let data = try masked()
    let more = more.map { $0.replacingOccurrences(of: "TEACHER", with: source) }
    func steps(_ arguments: [String], to run: String) throws -> [JSONValue] {
      let done = try outcome(
        Train.self,
        [source, "-o", folder.file(run), "--cache", folder.file("cache"), "--data", data]
          + ["--batch-size", "4", "--sequence-length", "31", "--steps", "1"]
          + ["--set", "evaluation.rows=4", "--set", "data.held_out=0.1"] + more + arguments)
      #expect(done.code == 0, "\(done.notes)")
      return try ByteRegion(path: folder.file(run) + "/metrics.jsonl").contents(limit: 1 << 20)
        .split(separator: 0x0A).map { try JSONValue(parsing: Array($0)) }
    }
    let whole = try steps(["--micro-batch-size", "4"], to: "whole")
    let least = try steps(["--micro-batch-size", "4", "--threads", "1"], to: "threads")
    for (name, run) in [
      ("threads", least), ("2", try steps(["--micro-batch-size", "2"], to: "2")),
      ("1", try steps(["--micro-batch-size", "1"], to: "1")),
    ] {
      for (a, b) in zip(whole, run) {
        for key in ["loss", "divergence", "grad_norm"] {
          guard let x = a[key]?.double, let y = b[key]?.double else {
            #expect(key == "divergence" && more.isEmpty)
            continue
          }
          #expect(abs(x - y) < 1e-6 * max(1, x), "\(name) \(key): \(x) \(y)")
        }
      }
    }
  }

  @Test("data without a single answer are refused before the run begins")
  func nothingLearned() throws {
    let lines = (0..<60).map { #"{"messages":[{"role":"user","content":"\#($0)+1="}]}"# }
    let data = try folder.write(Array(lines.joined(separator: "\n").utf8), to: "none.jsonl")
    let template = try folder.write(
      Array("{% for m in messages %}{{ m.content }}\n{% endfor %}".utf8), to: "chat.jinja")
    let done = try outcome(
      Train.self,
      [source, "-o", folder.file("none"), "--cache", folder.file("cache"), "--data", data]
        + ["--batch-size", "2", "--sequence-length", "7", "--steps", "2"]
        + ["--set", "data.chat_template=\(template)"])
    #expect(done.code == 3 && done.notes.contains("train.nothing_learned"), "\(done.notes)")
    #expect(try pathKind(folder.file("none")) == nil)
  }
}
