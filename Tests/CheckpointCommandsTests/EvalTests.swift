import Foundation
import JSON
import Kernels
import Models
import Scoring
import TestSupport
import Testing
import Tokenizers
import Training
import Transformer

@testable import CheckpointCommands

/// Against `fixtures/eval/figures.json`, which transformers computed.
@Suite("ckpt eval on documents and questions")
struct EvalTests {
  /// Float32 implementations of this size differ by a few 1e-6 relative.
  static let tolerance = 2e-5

  private func figures() throws -> JSONValue {
    try JSONValue(
      parsing: Array(Data(contentsOf: URL(filePath: Fixtures.path("eval/figures.json")))))
  }

  private func eval(_ data: String, _ more: [String]) throws -> Outcome {
    try outcome(Eval.self, [Fixtures.path("tiny-arithmetic"), "--data", data, "--json"] + more)
  }

  private func result(_ run: Outcome) throws -> JSONValue {
    #expect(run.code == 0, "\(run.output)")
    return try #require(run.json?["results"]?.array?.first)
  }

  @Test("packed documents have the loss of each document by itself")
  func documents() throws {
    let wanted = try #require(try figures()["documents"])
    let window = try #require(wanted["window"]?.integer)
    let result = try result(
      eval(Fixtures.path("eval/documents.jsonl"), ["--sequence-length", "\(window)"]))
    let (loss, expected) = (
      try #require(result["loss"]?.double), try #require(wanted["loss"]?.double)
    )
    #expect(abs(loss - expected) <= Self.tolerance * expected)
    #expect(result["tokens"]?.integer == wanted["tokens"]?.integer)
  }

  @Test("of a chat the answers count, after the template's text")
  func chats() throws {
    let folder = TemporaryFolder()
    let path = folder.file("model")
    try FileManager.default.copyItem(atPath: Fixtures.path("tiny-arithmetic"), toPath: path)
    let template =
      "{% for m in messages %}{{ '\\n' if m.role == 'user' }}{{ m.content }}{% endfor %}"
    try folder.write(Array(template.utf8), to: "model/chat_template.jinja")
    let record = #"""
      {"messages": [{"role": "user", "content": "12+7="}, {"role": "assistant", "content": "20."}, \#
      {"role": "user", "content": "3+4="}, {"role": "assistant", "content": "9."}]}
      """#
    let data = try folder.write(Array((record + "\n").utf8), to: "chats.jsonl")
    let run = try outcome(
      Eval.self, [path, "--data", data, "--sequence-length", "32", "--json"])
    let result = try result(run)
    // By hand: the same text, and the negative log-likelihood of the answers' tokens.
    let opened = try OpenedModel(path)
    let tokenizer = try opened.tokenizer()
    let pieces = try ["\n12+7=", "20.", "\n3+4=", "9."].map { try tokenizer.encode($0) }
    let tokens = Array(pieces.joined())
    let isAnswer = pieces.enumerated().flatMap { i, piece in piece.map { _ in i % 2 == 1 } }
    let logits = try #require(
      try opened.load(on: Compute(1)).forward(Batch(tokens: tokens, sequences: 1)).logits)
    var losses: [Double] = []
    for i in tokens.indices.dropFirst() where isAnswer[i] {
      let row = logits.row(i - 1).map(Double.init)
      let total = log(row.reduce(0) { $0 + exp($1) })
      losses.append(total - row[Int(tokens[i])])
    }
    let mean = losses.reduce(0, +) / Double(losses.count)
    #expect(result["tokens"]?.integer == losses.count)
    #expect(abs((result["loss"]?.double ?? 0) - mean) <= Self.tolerance * mean)
  }

  @Test("as many sums are right as transformers solves, and the answers are the same")
  func exactMatch() throws {
    let folder = TemporaryFolder()
    let samples = folder.file("samples.jsonl")
    let run = try eval(
      Fixtures.path("eval/sums.jsonl"),
      ["--template", "{question}", "--stop", ".", "--max-tokens", "6", "--samples", samples])
    let result = try result(run)
    let wanted = try #require(try figures()["sums"])
    let (right, count) = (try #require(wanted["right"]?.integer), 24.0)
    let share = Double(right) / count
    #expect(run.json?["task"]?.string == "exact-match")
    #expect(result["examples"]?.integer == 24)
    #expect(abs((result["exact_match"]?.double ?? 0) - share) < 1e-12)
    let error = (share * (1 - share) / (count - 1)).squareRoot()
    #expect(abs((result["exact_match_stderr"]?.double ?? 0) - error) < 1e-12)
    let answers = try String(contentsOfFile: samples, encoding: .utf8).split(separator: "\n").map {
      try JSONValue(parsing: Array($0.utf8))["answer"]?.string ?? ""
    }
    #expect(answers == wanted["answers"]?.array?.compactMap(\.string))
  }

  @Test("log-likelihoods of choices, and the three accuracies, are those of transformers")
  func choices() throws {
    let folder = TemporaryFolder()
    let samples = folder.file("samples.jsonl")
    let run = try eval(
      Fixtures.path("eval/choices.jsonl"), ["--template", "{question}", "--samples", samples])
    let result = try result(run)
    let wanted = try #require(try figures()["choices"])
    for measure in ["acc", "acc_norm", "acc_bytes"] {
      let right = try #require(wanted[measure]?.integer)
      #expect(abs((result[measure]?.double ?? 0) - Double(right) / 24) < 1e-12, "\(measure)")
    }
    let found = try String(contentsOfFile: samples, encoding: .utf8).split(separator: "\n")
      .flatMap { line in
        try JSONValue(parsing: Array(line.utf8))["log_likelihoods"]?.array ?? []
      }.compactMap(\.double)
    let expected = try #require(wanted["log_likelihoods"]?.array)
      .flatMap { $0.array ?? [] }.compactMap(\.double)
    #expect(found.count == 96)
    for (value, other) in zip(found, expected) {
      #expect(abs(value - other) <= Self.tolerance * abs(other))
    }
  }

  @Test("completions have the loss that transformers finds, and are exact where it would say them")
  func completions() throws {
    let folder = TemporaryFolder()
    let samples = folder.file("samples.jsonl")
    let figures = try #require(try figures()["completions"])
    let wanted = try #require(figures["scores"]?.array)
    // The shipped model ends lines, and its texts much later: a line break ends its answers.
    let model = folder.file("model")
    try FileManager.default.copyItem(atPath: Fixtures.path("tiny-arithmetic"), toPath: model)
    let config = try JSONValue(
      parsing: Array(Data(contentsOf: URL(filePath: model + "/config.json"))))
    var fields = try #require(config.object)
    fields["eos_token_id"] = figures["end"]
    try folder.write(Array(JSONValue.object(fields).text().utf8), to: "model/config.json")
    let run = try outcome(
      Eval.self,
      [
        model, "--data", Fixtures.path("eval/completions.jsonl"), "--task", "answers",
        "--batch-size", "5", "--by", "kind", "--samples", samples, "--json",
      ])
    let result = try result(run)
    let found = try String(contentsOfFile: samples, encoding: .utf8).split(separator: "\n").map {
      try JSONValue(parsing: Array($0.utf8))
    }
    #expect(found.count == wanted.count)
    for (sample, other) in zip(found, wanted) {
      let (nats, expected) = (
        try #require(sample["nats"]?.double), try #require(other["nats"]?.double)
      )
      #expect(abs(nats - expected) <= Self.tolerance * max(1, expected))
      #expect(sample["exact"]?.double == other["exact"]?.double)
      #expect(sample["tokens"]?.double == other["tokens"]?.double)
    }
    let exact = wanted.compactMap { $0["exact"]?.integer }.reduce(0, +)
    #expect((1..<wanted.count).contains(exact), "the fixture has answers of both kinds")
    #expect(abs((result["exact"]?.double ?? 0) - Double(exact) / Double(wanted.count)) < 1e-12)
    // A group is the mean of its own records.
    let records = try EvalRecord.read(Fixtures.path("eval/completions.jsonl"))
    for group in try #require(result["groups"]?.array) {
      let own = zip(records, wanted).filter {
        $0.0.fields["kind"]?.string == group["value"]?.string
      }
      let nats = own.compactMap { $0.1["nats"]?.double }.reduce(0, +) / Double(own.count)
      #expect(group["examples"]?.integer == own.count)
      #expect(abs((group["nats"]?.double ?? 0) - nats) <= Self.tolerance * max(1, nats))
    }
  }

  @Test("eight-bit weights score answers too, with numbers of their own")
  func eightBits() throws {
    func nats(_ more: [String]) throws -> Double {
      let path = Fixtures.path("eval/completions.jsonl")
      let result = try result(eval(path, ["--task", "answers"] + more))
      return try #require(result["nats"]?.double)
    }
    let (stored, rounded) = (try nats([]), try nats(["--weights", "q8_0"]))
    #expect(stored != rounded && abs(stored - rounded) < 0.1 * stored)
  }

  @Test("questions are told apart by a field; one that is missing is named")
  func groups() throws {
    let path = Fixtures.path("eval/completions.jsonl")
    let result = try result(eval(path, ["--task", "answers", "--by", "kind"]))
    #expect(result["groups"]?.array?.map { $0["value"]?.string } == ["sum", "count"])
    let missing = try eval(path, ["--task", "answers", "--by", "depth"])
    #expect(missing.code == 3 && missing.output.contains("depth"))
    #expect(try eval(Fixtures.path("text/heldout.txt"), ["--by", "kind"]).code == 64)
    let text = try eval(Fixtures.path("text/heldout.txt"), ["--task", "answers"])
    #expect(text.code == 4 && text.output.contains("data.not_records"))
  }

  @Test("a document that cannot be scored is refused with its place")
  func badDocuments() throws {
    let folder = TemporaryFolder()
    let long = String(repeating: "7", count: 600)
    for (record, code, exit) in [
      (#"{"messages": [{"role": "user", "content": "1+1="}]}"#, "data.no_chat_template", 4),
      (#"{"prompt": "1+1=", "completion": "\#(long)"}"#, "data.prompt_length", 7),
    ] {
      let good = #"{"prompt": "1+1=", "completion": "2."}"#
      let data = try folder.write(Array((good + "\n" + record + "\n").utf8), to: "bad.jsonl")
      let run = try eval(data, ["--task", "answers"])
      #expect(run.code == exit && run.output.contains(code) && run.output.contains("line 2"))
    }
  }

  @Test("examples come before each prompt and are not asked")
  func shots() throws {
    let result = try result(
      eval(
        Fixtures.path("eval/sums.jsonl"),
        [
          "--template", "{question}", "--stop", ".", "--max-tokens", "4", "--shots", "2",
          "--limit", "3",
        ]))
    #expect(result["examples"]?.integer == 3)
  }

  /// A record, what is wrong with it, and the line that the message names.
  struct Rejected: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var text: String
    var code: String
    var line: Int
    var exit: Int32 = 3
  }

  static let rejected = [
    Rejected(
      testDescription: "no JSON", text: "{\"question\": \"1\", \"answer\": 1}\n\n{oops\n",
      code: "data.not_an_object", line: 3),
    Rejected(
      testDescription: "no answer", text: "{\"question\": \"1\"}\n", code: "data.missing_field",
      line: 1),
    Rejected(
      testDescription: "an answer past the choices",
      text: "{\"question\": \"1\", \"choices\": [\"a\", \"b\"], \"answer\": 2}\n",
      code: "data.wrong_type", line: 1),
    Rejected(
      testDescription: "one choice",
      text: "{\"question\": \"1\", \"choices\": [\"a\"], \"answer\": 0}\n", code: "data.wrong_type",
      line: 1),
    Rejected(
      testDescription: "a prompt longer than the context",
      text: "{\"question\": \"\(String(repeating: "1+1=2. ", count: 400))\", \"answer\": 1}\n",
      code: "data.prompt_length", line: 1, exit: 7),
  ]

  @Test("names file and line of a bad record", arguments: rejected)
  func rejects(_ sample: Rejected) throws {
    let folder = TemporaryFolder()
    let path = folder.file("data.jsonl")
    try Data(sample.text.utf8).write(to: URL(filePath: path))
    let run = try eval(path, [])
    #expect(run.code == sample.exit)
    let error = try #require(run.json?["errors"]?.array?.first)
    #expect(error["code"]?.string == sample.code)
    #expect(error["file"]?.string == path)
    #expect(error["message"]?.string?.hasPrefix("line \(sample.line): ") == true)
  }

  @Test("an existing chart is kept, unless --force is given")
  func keepsChart() throws {
    let folder = TemporaryFolder()
    let chart = folder.file("curve.svg")
    try Data("mine".utf8).write(to: URL(filePath: chart))
    let run = try eval(Fixtures.path("eval/documents.jsonl"), ["--svg", chart])
    #expect(run.code == 6)
    #expect(try String(contentsOfFile: chart, encoding: .utf8) == "mine")
  }
}

@Suite("ckpt eval: conversations without answers")
struct NothingLearnedTests {
  @Test("are refused with their count, as in training")
  func refused() throws {
    let folder = TemporaryFolder()
    let model = folder.file("model")
    try FileManager.default.copyItem(atPath: Fixtures.path("tiny-arithmetic"), toPath: model)
    _ = try folder.write(
      Array("{% for m in messages %}{{ m.content }}{% endfor %}".utf8),
      to: "model/chat_template.jinja")
    let lines = (0..<60).map { #"{"messages":[{"role":"user","content":"\#($0)+1="}]}"# }
    let data = try folder.write(Array(lines.joined(separator: "\n").utf8), to: "none.jsonl")
    let run = try outcome(Eval.self, [model, "--data", data, "--sequence-length", "32", "--json"])
    #expect(run.code == 3)
    #expect(run.json?["errors"]?.array?.first?["code"]?.string == "train.nothing_learned")
  }
}
