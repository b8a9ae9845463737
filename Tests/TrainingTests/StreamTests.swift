import ByteIO
import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

@Suite("data that is streamed")
struct StreamTests {
  private let folder = TemporaryFolder()

  /// Documents `<0>`, `<1>`, … over several files of JSON lines.
  private func files(_ counts: [Int]) throws -> String {
    var number = 0
    for (index, count) in counts.enumerated() {
      let lines = (0..<count).map { _ in
        defer { number += 1 }
        return "{\"text\": \"<\(number)>\"}\n"
      }
      try folder.write(Array(lines.joined().utf8), to: "data/\(index).jsonl")
    }
    return folder.file("data")
  }

  private func plan(
    _ path: String, length: Int = 15, heldOut: Double = 0.1, seed: UInt64 = 3, epochs: Int = 1,
    buffer: Int = 20, skips: Bool = false
  ) throws -> StreamPlan {
    try StreamPlan(
      TokenCache.Request(
        path: path, files: DataFiles(path).files, format: TextFormat(.text), encoder: byteEncoder,
        vocabulary: 257, skipsBadRecords: skips),
      number: 0, sequenceLength: length, heldOut: heldOut, seed: seed, epochLimit: epochs,
      buffer: buffer)
  }

  private func rows(
    _ plan: StreamPlan, from place: StreamPlace = StreamPlace(), most: Int = .max
  ) throws -> [[UInt32]] {
    let stream = StreamedRows(plan)
    var (rows, next) = ([[UInt32]](), Optional(place))
    while rows.count < most {
      do { rows.append(try stream.next(after: rows.count, &next)) } catch let error as DataError {
        #expect(error.problem == .exhausted(epochs: plan.epochLimit))
        break
      }
    }
    return rows
  }

  /// Numbers of the documents that lie wholly in rows one after another.
  private func documents(_ rows: [[UInt32]]) -> [Int] {
    let text = String(
      decoding: rows.joined().map { UInt8(min($0 & TokenMark.id, 255)) }.filter { $0 < 128 },
      as: UTF8.self)
    return text.split(separator: "<").compactMap { part in
      part.hasSuffix(">") ? Int(part.dropLast()) : nil
    }
  }

  @Test("an epoch has every document once, and none that is held out", arguments: [1, 7, 1000])
  func once(buffer: Int) throws {
    let path = try files([50, 3, 70, 20])
    let plan = try plan(path, buffer: buffer)
    let trained = documents(try rows(plan))
    #expect(Set(trained).count == trained.count)
    let held = Set(documents(try StreamedRows(plan).heldOut(limit: 1000)))
    #expect(held.count > 3 && held.isDisjoint(with: trained))
    // The last row of either is not filled.
    #expect((130...143).contains(trained.count + held.count))
    #expect(trained != trained.sorted())
  }

  @Test("a block is shuffled, blocks follow their shards")
  func shuffled() throws {
    let path = try files([100])
    let trained = documents(try rows(plan(path, heldOut: 0, buffer: 10)))
    #expect(trained.count >= 97)
    for (place, number) in trained.prefix(90).enumerated() {
      #expect(place / 10 == number / 10, "document \(number) at \(place)")
    }
    #expect(documents(try rows(plan(path, heldOut: 0, seed: 4, buffer: 10))) != trained)
  }

  @Test("reading goes on from any place with the same rows, over the ends of epochs")
  func resumes() throws {
    let plan = try plan(try files([30, 12, 25]), epochs: 3, buffer: 9)
    let stream = StreamedRows(plan)
    var place: StreamPlace? = stream.start
    var (whole, places) = ([[UInt32]](), [place])
    while let row = try? stream.next(after: whole.count, &place) {
      whole.append(row)
      places.append(place)
    }
    #expect(whole.count > 40)
    #expect(places.last??.epoch == 2)
    for start in stride(from: 0, to: whole.count, by: 3) {
      let saved = try #require(places[start]).json
      let later = try rows(plan, from: try #require(StreamPlace(saved)), most: 4)
      #expect(later == Array(whole[start..<min(start + 4, whole.count)]), "from row \(start)")
    }
    let third = whole.count / 3
    #expect(whole[..<third] != whole[third..<2 * third])
  }

  @Test(
    "the same documents in other formats give the same rows",
    arguments: ["texts.json", "texts.csv", "texts.parquet", "texts.arrow", "texts.tar", "mds"])
  func formats(name: String) throws {
    let lines = try plan(Fixtures.path("data/texts.jsonl"), heldOut: 0)
    let other = try plan(Fixtures.path("data/\(name)"), heldOut: 0)
    let wanted = try rows(lines)
    #expect(!wanted.isEmpty)
    if other.shards.count == 1 {
      #expect(try rows(other) == wanted)
    } else {
      // Row groups come in an order of their own.
      #expect(try rows(other).joined().count == wanted.joined().count)
    }
  }

  @Test("a bad record stops the run by file and line, or is left out and counted")
  func bad() throws {
    let text = "{\"text\": \"one two three\"}\n{\"no\": 1}\n{\"text\": \"four five six\"}\n"
    let path = try folder.write(Array(text.utf8), to: "bad.jsonl")
    let stream = StreamedRows(try plan(path, heldOut: 0))
    var place = stream.start
    let error = #expect(throws: DataError.self) {
      for count in 0..<9 { _ = try stream.next(after: count, &place) }
    }
    #expect(error?.place == .line(2))
    let lenient = StreamedRows(try plan(path, length: 4, heldOut: 0, skips: true))
    var next = lenient.start
    let row = try lenient.next(after: 0, &next)
    #expect(row.count == 5)
    while (try? lenient.next(after: 0, &next)) != nil {}
    #expect(lenient.skipped == 1)
  }

  @Test("too few tokens, and nothing to learn, are errors")
  func little() throws {
    let path = try folder.write(Array("{\"text\": \"\"}\n".utf8), to: "empty.jsonl")
    let stream = StreamedRows(try plan(path, heldOut: 0, epochs: 0))
    var place = stream.start
    // The token that ends a document is one, so rows are made of many epochs.
    #expect(try stream.next(after: 0, &place).allSatisfy { $0 & TokenMark.id == 256 })
    let none = try folder.write(Array("\n".utf8), to: "none.jsonl")
    let empty = StreamedRows(try plan(none, heldOut: 0, epochs: 0))
    var start = empty.start
    #expect(throws: DataError(.tooFewTokens(found: 0, needed: 16), none)) {
      try empty.next(after: 0, &start)
    }
    let prompts = (0..<40).map {
      "{\"messages\": [{\"role\": \"user\", \"content\": \"\($0)\"}]}\n"
    }
    let asked = try folder.write(Array(prompts.joined().utf8), to: "asked.jsonl")
    #expect(throws: TrainingError.self) {
      try StreamedRows(plan(asked, heldOut: 0)).requireLearned()
    }
  }
}
