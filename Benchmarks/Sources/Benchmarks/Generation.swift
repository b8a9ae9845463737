import Foundation

/// A long prompt through SmolLM2-135M in bfloat16, beside sgemm on the shapes of its linear layers.
///
/// Attention's products count too, their causal half, at the rate of the linear layers' shapes.
let prefill = Benchmark("prefill", "a prompt of 1024 tokens through SmolLM2-135M") { setting in
  let model = try SmolLM2(setting)
  let sides = try model.sides(tokens: 8) + model.roundedSides(tokens: 8)
  let ceiling = { Ceiling.sgemm(rows: SmolLM2.promptCount, SmolLM2.shapes, repeats: 4) }
  var ceilings = Samples()
  let results = try interleaved(
    setting.runs,
    sides.map { side in { try side.run() } } + [
      {
        ceilings.add(ceiling())
        return Speed(prefill: 0, decode: 0)
      }
    ])
  let limit = Samples(ceilings.values.dropFirst())
  var table = Table("side", "tokens/s (min / median / max)", "share of sgemm")
  for (side, speeds) in zip(sides, results) {
    let rates = Samples(speeds.map(\.prefill))
    let flops = Samples(rates.values.map { $0 * side.operations })
    table.add(
      side.name, rates.text(digits: 0),
      side.operations > 0 ? flops.over(limit).text() : "-")
  }
  table.add("OpenBLAS sgemm", Samples(limit.values.map { $0 / 1e9 }).text(digits: 0) + " GF/s", "1")
  table.print()
}

/// One token after another, beside what reading the weights once costs.
let decode = Benchmark("decode", "64 tokens of SmolLM2-135M one by one, after a prompt") {
  setting in
  let model = try SmolLM2(setting)
  let sides = try model.sides(tokens: 64, prompt: 128)
  var bandwidths = Samples()
  let results = try interleaved(
    setting.runs,
    sides.map { side in { try side.run() } } + [
      {
        bandwidths.add(try Ceiling.readBandwidth())
        return Speed(prefill: 0, decode: 0)
      }
    ])
  let limit = Samples(bandwidths.values.dropFirst())
  var table = Table("side", "tokens/s (min / median / max)", "share of memory bandwidth")
  for (side, speeds) in zip(sides, results) {
    let rates = Samples(speeds.map(\.decode))
    let traffic = Samples(rates.values.map { $0 * side.byteCount })
    table.add(
      side.name, rates.text(digits: 1), side.byteCount > 0 ? traffic.over(limit).text() : "-")
  }
  table.add("memory, read", Samples(limit.values.map { $0 / 1e9 }).text(digits: 1) + " GB/s", "1")
  table.print()
}

/// Tokens a second.
private struct Speed: Codable {
  var prefill: Double
  var decode: Double
}

/// One program that runs the model.
private struct Side {
  let name: String
  /// Of all products, for a token of the prompt; 0 where it is not compared.
  var operations = 0.0
  /// Weights that a token reads; 0 where it is not compared.
  var byteCount = 0.0
  let run: () throws -> Speed
}

/// SmolLM2-135M-Instruct, whole and retrofitted, as the sides run it.
private struct SmolLM2 {
  static let promptCount = 1024
  private static let layers = 30
  /// Outputs and inputs of a layer's linear parts: query, key and value; output; gate and up; down.
  static let shapes = [(n: 960, k: 576), (n: 576, k: 576), (n: 3072, k: 576), (n: 576, k: 1536)]
  private static let layerWeights = shapes.reduce(0) { $0 + $1.n * $1.k }
  private static let headWeights = 49152 * 576

  private let setting: Setting
  private let gguf: String
  private let source: String
  private let retrofit: String

  init(_ setting: Setting) throws {
    self.setting = setting
    gguf =
      ProcessInfo.processInfo.environment["SMOLLM2"]
      ?? "build/real/SmolLM2-135M-Instruct.Q4_1.gguf"
    guard FileManager.default.fileExists(atPath: gguf) else {
      throw BenchmarkFailure("\(gguf) is missing: `make smollm2` downloads it; or set SMOLLM2")
    }
    source = setting.workspace + "/smollm2-bf16"
    retrofit = setting.workspace + "/smollm2-4-8-4"
    if !FileManager.default.fileExists(atPath: source) {
      _ = try measure(
        setting.ckpt("convert", gguf, "-o", source, "--dtype", "bf16", "--progress", "none"))
    }
    if !FileManager.default.fileExists(atPath: retrofit) {
      _ = try measure(
        setting.ckpt(
          "retrofit", source, "--prelude", "4", "--core", "8", "--coda", "4", "-o", retrofit))
    }
  }

  /// ckpt with the model and its retrofit, and the peers that are installed.
  func sides(tokens: Int, prompt: Int = promptCount) throws -> [Side] {
    var sides = [side("ckpt, whole model", source, [], tokens, prompt, runs: Self.layers)]
    for depth in [1, 4, 8] {
      sides.append(
        side(
          "ckpt, 4/8/4 at r = \(depth)", retrofit, ["--recurrence", "\(depth)"], tokens, prompt,
          runs: 8 + 8 * depth))
    }
    guard let python = setting.python else { return sides }
    func peer(_ name: String, _ arguments: String...) -> Side {
      Side(name: name) {
        try read(
          [python, "Benchmarks/peers/generate.py"] + arguments
            + ["--prompt", "\(prompt)", "--tokens", "\(tokens)"])
      }
    }
    sides.append(peer("transformers, float32", "transformers", source))
    sides.append(peer("transformers, bfloat16", "transformers", source, "--dtype", "bfloat16"))
    if (try? measure([python, "-c", "import llama_cpp"])) != nil {
      sides.append(peer("llama.cpp, Q4_1", "llama.cpp", gguf))
    }
    return sides
  }

  /// ckpt with bf16 operands, where the processor has such products.
  func roundedSides(tokens: Int) -> [Side] {
    guard setting.hasFlag("avx512_bf16") else { return [] }
    let depths = [1, 4, 8].map { ("4/8/4 at r = \($0)", retrofit, ["--recurrence", "\($0)"]) }
    return ([("whole model", source, [])] + depths).map { name, model, more in
      side(
        "ckpt, \(name), --precision bf16", model, more + ["--precision", "bf16"], tokens,
        Self.promptCount)
    }
  }

  /// - Parameter runs: Layers that a token runs through; 0 where that is not compared.
  private func side(
    _ name: String, _ model: String, _ more: [String], _ tokens: Int, _ prompt: Int, runs: Int = 0
  ) -> Side {
    // A word of one token, and nothing that ends the text early counts: greedy text goes on.
    let text = String(repeating: " the", count: prompt)
    let weights = Self.layerWeights * runs
    // Scores and mixtures: 576 wide, with half of the prompt's keys on average.
    let attention = 4 * 576 * (prompt + 1) / 2 * runs
    return Side(
      name: name, operations: Double(2 * weights + attention),
      byteCount: runs == 0 ? 0 : 2 * Double(weights + Self.headWeights)
    ) {
      let object = try json(
        setting.ckpt("generate", model, "--prompt", text, "--max-tokens", "\(tokens)", "--json")
          + more)
      guard let prefill = object["prompt_tokens_per_second"] as? Double,
        let decode = object["tokens_per_second"] as? Double
      else { throw BenchmarkFailure("no speeds in the report of ckpt generate") }
      return Speed(prefill: prefill, decode: decode)
    }
  }

  private func read(_ command: [String]) throws -> Speed {
    let object = try json(command)
    guard let prefill = object["prefill"] as? Double, let decode = object["decode"] as? Double
    else { throw BenchmarkFailure("no speeds in the output of \(command[1])") }
    return Speed(prefill: prefill, decode: decode)
  }

  private func json(_ command: [String]) throws -> [String: Any] {
    try jsonOutput(command, in: setting)
  }
}

/// What a command printed, as a JSON object.
func jsonOutput(_ command: [String], in setting: Setting) throws -> [String: Any] {
  let path = setting.workspace + "/output.json"
  _ = try measure(command, output: path)
  let data = try Data(contentsOf: URL(fileURLWithPath: path))
  guard let object = try JSONSerialization.jsonObject(with: data) as? [String: Any] else {
    throw BenchmarkFailure("no JSON object from: \(command.joined(separator: " "))")
  }
  return object
}
