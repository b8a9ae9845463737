import Kernels
import ModelGraph
import Testing

@testable import Transformer

@Suite("decoding in batches")
struct BatchDecodingTests {
  /// What a sequence was told: the logits after its prompt and after each greedy token, and the
  /// passes that each took.
  private struct Course: Equatable {
    var logits: [[Float]] = []
    var depths: [Int] = []

    var next: Int32 {
      let row = logits[logits.count - 1]
      return Int32(row.indices.max { (row[$0], -$0) < (row[$1], -$1) } ?? 0)
    }

    mutating func append(_ row: [Float], _ depth: Int) {
      logits.append(row)
      depths.append(depth)
    }
  }

  private struct Way: CustomTestStringConvertible {
    var window: Int?
    var exit: ExitRule?
    var testDescription: String { "window \(window as Any), \(exit as Any)" }
  }

  private static let prompts: [[Int32]] = [
    [3, 1, 4], [15, 9, 2, 6, 5, 35, 8, 9, 7, 9, 3, 2], [27], [18, 28, 18, 28, 4], [5, 9],
  ]
  private static let steps = 6

  private func alone(_ model: Model, _ way: Way, _ index: Int, recurrence: Int?) throws -> Course {
    let decoder = try Decoder(
      model, recurrence: recurrence, cacheWindow: way.window, seed: UInt64(index))
    var course = Course()
    course.append(
      try decoder.advance(Self.prompts[index], exit: way.exit).row(0), decoder.depths[0])
    for _ in 0..<Self.steps {
      course.append(
        try decoder.advance([course.next], exit: way.exit).row(0), decoder.depths[0])
    }
    return course
  }

  /// All prompts through three places; a sequence that has made its steps is replaced at once.
  private func together(_ model: Model, _ way: Way, recurrence: Int?) throws -> [Course] {
    let decoder = try Decoder(
      model, sequences: 3, recurrence: recurrence, cacheWindow: way.window)
    var courses = [Course](repeating: Course(), count: Self.prompts.count)
    var places: [Int?] = [nil, nil, nil]
    var waiting = Self.prompts.indices.makeIterator()
    while true {
      for place in places.indices where places[place] == nil {
        guard let index = waiting.next() else { continue }
        decoder.restart(place, seed: UInt64(index))
        let logits = try decoder.advance(Self.prompts[index], of: place, exit: way.exit)
        courses[index].append(logits.row(0), decoder.depths[0])
        places[place] = index
        // One at a time, so that the sequences are at different lengths.
        break
      }
      let next = places.enumerated().compactMap { place, index in
        index.map { Decoder.Next(sequence: place, token: courses[$0].next) }
      }
      if next.isEmpty { return courses }
      let logits = try decoder.advance(next, exit: way.exit)
      for (row, step) in next.enumerated() {
        guard let index = places[step.sequence] else { continue }
        courses[index].append(logits.row(row), decoder.depths[row])
        if courses[index].depths.count == Self.steps + 1 { places[step.sequence] = nil }
      }
    }
  }

  private func compare(_ model: Model, _ way: Way, recurrence: Int?) throws -> [Course] {
    let courses = try together(model, way, recurrence: recurrence)
    for index in Self.prompts.indices {
      let wanted = try alone(model, way, index, recurrence: recurrence)
      #expect(courses[index] == wanted, "prompt \(index)")
    }
    return courses
  }

  @Test("plain models give each sequence the bits it gets alone", arguments: Golden.sources)
  func plain(name: String) throws {
    _ = try compare(try Golden(name).model("source"), Way(), recurrence: nil)
  }

  @Test(
    "retrofits give each sequence the bits it gets alone", arguments: Golden.retrofits,
    [nil, 1, 2])
  func retrofits(name: String, window: Int?) throws {
    _ = try compare(try Golden(name).model("retrofit"), Way(window: window), recurrence: 3)
  }

  @Test(
    "sequences leave the core each at its own depth, as they would alone",
    arguments: [ExitRule.latent(0.9), .latent(0.6), .divergence(0.12), .divergence(0.05)],
    [nil, 1, 3])
  func exits(rule: ExitRule, window: Int?) throws {
    let model = try Golden("tiny-llama").model("retrofit")
    let courses = try compare(model, Way(window: window, exit: rule), recurrence: 8)
    let depths = Set(courses.flatMap { $0.depths.dropFirst() })
    #expect(depths.count > 1, "\(depths)")
  }

  @Test(
    "windows, experts and frequencies that depend on the length, too",
    arguments: [
      "mistral-window", "gemma3-default", "mixtral-packed", "llama-dynamic", "phi3-longrope",
    ])
  func families(name: String) throws {
    let fixture = try FamilyFixture(name)
    let model = try Model(fixture.graph, from: fixture.checkpoint, on: try Compute(2))
    _ = try compare(model, Way(), recurrence: nil)
  }

  @Test("more sequences than rows that run together")
  func many() throws {
    let model = try Golden("tiny-llama").model("retrofit")
    let count = independentRows + 5
    let decoder = try Decoder(model, sequences: count, recurrence: 2)
    for sequence in 0..<count { _ = try decoder.advance([7, Int32(sequence)], of: sequence) }
    let logits = try decoder.advance(
      (0..<count).map { Decoder.Next(sequence: $0, token: Int32($0 % 3)) })
    for sequence in [0, 1, independentRows - 1, independentRows, count - 1] {
      let single = try Decoder(model, recurrence: 2)
      _ = try single.advance([7, Int32(sequence)])
      #expect(try single.advance([Int32(sequence % 3)]).row(0) == logits.row(sequence))
    }
  }
}
