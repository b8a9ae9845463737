import Checkpoint
import Kernels
import ModelGraph
import TestSupport
import Testing

@testable import Transformer

@Suite("drafts with few passes, checked with all")
struct DraftTests {
  private static let prompt: [Int32] = [15, 9, 2, 6, 5]
  private static let seed: UInt64 = 7
  private static let steps = 20

  /// Logits after the prompt and after each greedy token, and how guesses fared.
  private struct Course {
    var logits: [[Float]] = []
    var drafted = 0
    var accepted = 0

    var next: Int32 { best(logits[logits.count - 1]) }
  }

  private static func best(_ row: [Float]) -> Int32 {
    Int32(row.indices.max { (row[$0], -$0) < (row[$1], -$1) } ?? 0)
  }

  private func plain(_ model: Model, _ passes: Int) throws -> Course {
    let decoder = try Decoder(model, recurrence: passes, seed: Self.seed)
    var course = Course()
    course.logits.append(try decoder.advance(Self.prompt).row(0))
    for _ in 0..<Self.steps {
      course.logits.append(try decoder.advance([course.next]).row(0))
    }
    return course
  }

  /// - Parameter spoiled: Makes every such guess a wrong one; 0 for none.
  private func drafted(
    _ model: Model, _ passes: Int, _ rule: DraftRule, spoiled: Int
  ) throws -> Course {
    let decoder = try Decoder(model, recurrence: passes, draft: rule, seed: Self.seed)
    var course = Course()
    course.logits.append(try decoder.advance(Self.prompt).row(0))
    while course.logits.count <= Self.steps {
      let length = decoder.length()
      let (guesses, logits) = try decoder.advance(
        course.next, drafting: Self.steps - course.logits.count
      ) { logits in
        course.drafted += 1
        let isWrong = spoiled > 0 && course.drafted % spoiled == 0
        return isWrong
          ? (Self.best(logits.row(0)) + 1) % Int32(logits.columns) : Self.best(logits.row(0))
      }
      #expect(logits.rows == guesses.count + 1 && guesses.count <= rule.count)
      #expect(decoder.depths == [Int](repeating: passes, count: logits.rows))
      for row in 0..<logits.rows {
        course.logits.append(logits.row(row))
        guard row < guesses.count, course.next == guesses[row] else {
          decoder.rewind(to: length + row + 1)
          break
        }
        course.accepted += 1
      }
    }
    return course
  }

  private static let rules = [
    DraftRule(passes: 1, count: 1), DraftRule(passes: 2, count: 4), DraftRule(passes: 4, count: 3),
    DraftRule(passes: 1, count: DraftRule.mostGuesses),
  ]

  private func compare(_ model: Model) throws {
    let wanted = try plain(model, 5)
    for rule in Self.rules {
      for spoiled in [0, 3, 1] {
        let course = try drafted(model, 5, rule, spoiled: spoiled)
        #expect(course.logits == wanted.logits, "\(rule), every \(spoiled) guess wrong")
        #expect(course.drafted >= course.accepted)
      }
    }
  }

  @Test("every prediction is the bits of decoding token by token", arguments: Golden.retrofits)
  func retrofits(name: String) throws { try compare(try Golden(name).model("retrofit")) }

  @Test(
    "with windows, experts, norms everywhere and frequencies that depend on the length, too",
    arguments: [
      "mistral-window", "gemma3-default", "mixtral-packed", "llama-dynamic", "phi3-longrope",
    ])
  func families(name: String) throws {
    let (graph, source) = try FamilyFixture(name).recurrent()
    try compare(try Model(graph, from: source, on: try Compute(2)))
  }

  @Test("models that recur by themselves, too", arguments: ["huginn-default", "ouro-tied"])
  func recurrent(name: String) throws {
    let checkpoint = try Checkpoint.open(Fixtures.path("recurrent/\(name)/model"))
    let graph = try ModelGraph.read(
      config: try #require(checkpoint.config), tensors: checkpoint.tensors)
    try compare(try Model(graph, from: checkpoint, on: try Compute(2)))
  }

  /// What the draft is worth is the model's affair; that it is a draft of this depth is ours.
  @Test("a guess is what a pass by hand says after as many passes", arguments: [1, 3, 6])
  func guess(depth: Int) throws {
    let golden = try Golden("tiny-llama")
    let (graph, source) = try golden.checkpoint("retrofit")
    let reference = try CachedReference(graph, source)
    let decoder = try Decoder(
      Model(graph, from: source, on: try Compute(2)), recurrence: 7,
      draft: DraftRule(passes: depth, count: 1), seed: Self.seed)
    let tokens = Array(try golden.batch().tokens[..<6])
    let thoughts = tokens.map { token in
      reference.append(token, passes: 7, seed: Self.seed, seen: { _, pass in pass })
    }
    _ = try decoder.advance(Array(tokens.dropLast()))
    var guessed: [Float] = []
    let (_, logits) = try decoder.advance(tokens[5], drafting: 1) {
      guessed = $0.row(0)
      return 1
    }
    let last = try #require(thoughts.last)
    #expect(relativeError(guessed, last[depth - 1].logits.map { Float($0) }) < 1e-5)
    #expect(relativeError(logits.row(0), last[6].logits.map { Float($0) }) < 1e-5)
    #expect(relativeError(guessed, logits.row(0)) > 1e-4, "the depths differ")
  }

  @Test("guesses end with the context")
  func context() throws {
    let model = try Golden("tiny-llama").model("retrofit")
    let decoder = try Decoder(
      model, recurrence: 2, draft: DraftRule(passes: 1, count: 8), seed: Self.seed)
    let count = decoder.contextLength - 3
    _ = try decoder.advance((0..<count).map { Int32($0 % 50) })
    let (guesses, logits) = try decoder.advance(1, drafting: 8) { _ in 2 }
    #expect(guesses.count == 2 && logits.rows == 3 && decoder.length() == decoder.contextLength)
    #expect(throws: TransformerError(.contextTooLong(length: count + 4, limit: count + 3))) {
      try decoder.advance(1, drafting: 8) { _ in 2 }
    }
  }

  @Test("drafts as deep as the check, and of plain models, are refused")
  func refusals() throws {
    let golden = try Golden("tiny-llama")
    let rule = DraftRule(passes: 4, count: 2)
    #expect(throws: TransformerError(.draftTooDeep(4, of: 4))) {
      try Decoder(golden.model("retrofit"), recurrence: 4, draft: rule)
    }
    #expect(throws: TransformerError(.notRecurrent)) {
      try Decoder(golden.model("source"), draft: rule)
    }
  }
}
