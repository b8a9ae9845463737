import ByteIO
import TestSupport
import Testing

@testable import Training

/// The numbers from 0 on.
private struct Counting: TokenStream {
  var path = "counting"
  var count: Int

  func read(at start: Int, into tokens: inout [UInt32]) throws {
    for i in tokens.indices { tokens[i] = UInt32(start + i) }
  }
}

@Suite("Token files and rows")
struct DatasetTests {
  private let folder = TemporaryFolder()

  private func npy(_ header: String, _ body: [UInt8], version: UInt8 = 1) -> [UInt8] {
    let text = Array(header.utf8)
    let length = version == 1 ? [UInt8(text.count), 0] : [UInt8(text.count), 0, 0, 0]
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + body
  }

  @Test("reads .npy arrays and bare integers")
  func tokenFiles() throws {
    let two = try folder.write(
      npy("{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }\n", [1, 0, 0, 1, 7, 0]),
      to: "a.npy")
    let eight = try folder.write(
      npy(
        "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 2), }\n",
        [5, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255], version: 2), to: "b.npy")
    let bare = try folder.write([1, 0, 2, 0, 3, 0, 0, 1], to: "c.bin")
    var ids = [UInt32](repeating: 0, count: 3)
    try TokenFile(two, .npy, vocabulary: 50).read(at: 0, into: &ids)
    #expect(ids == [1, 256, 7])
    ids = [0]
    try TokenFile(eight, .npy, vocabulary: 50).read(at: 0, into: &ids)
    #expect(ids == [5])
    try TokenFile(bare, .bin, vocabulary: 1 << 17).read(at: 1, into: &ids)
    #expect(ids == [0x0100_0003])
    // -1 is no token of any vocabulary; its place is that of the second element.
    #expect(
      throws: DataError(
        .tokenOutOfRange(id: -1, vocabulary: 50), eight, at: 80)
    ) { try TokenFile(eight, .npy, vocabulary: 50).check(vocabulary: 50) }
  }

  @Test("refuses what is no token file")
  func refuses() throws {
    let float = try folder.write(
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n", [0, 0, 0, 0]), to: "f.npy")
    #expect(throws: DataError(.unsupportedType("<f4"), float)) {
      try TokenFile(float, .npy, vocabulary: 50)
    }
    for (name, bytes) in [
      ("short.npy", [0x93]), ("magic.npy", Array("hello, world".utf8)),
      ("cut.npy", npy("{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }\n", [1, 0])),
      (
        "huge.npy",
        npy("{'descr': '<u2', 'fortran_order': False, 'shape': (9223372036854775807,), }", [])
      ),
      (
        "wide.npy",
        npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1152921504606846976,), }", [])
      ),
      ("minus.npy", npy("{'descr': '<u2', 'shape': (-1, -1), }", [0, 0])),
      ("none.npy", npy("{}", [])),
      ("rank.npy", npy("{'descr': '<u2', 'shape': (1, 1, 1), }", [0, 0])),
    ] as [(String, [UInt8])] {
      let path = try folder.write(bytes, to: name)
      #expect(throws: DataError.self, "\(name)") { try TokenFile(path, .npy, vocabulary: 50) }
    }
    let odd = try folder.write([1, 2, 3], to: "odd.bin")
    #expect(throws: DataError(.partialToken(byteCount: 3, width: 2), odd)) {
      try TokenFile(odd, .bin, vocabulary: 50)
    }
  }

  @Test("a permutation holds every index once", arguments: [1, 2, 3, 7, 64, 1000, 4097])
  func permutation(count: Int) {
    let order = Permutation(count: count, seed: 9, stream: 1)
    let image = (0..<count).map { order[$0] }
    #expect(Set(image) == Set(0..<count))
    if count >= 64 { #expect(image != Array(0..<count)) }
  }

  private func dataset(
    _ counts: [(Int, Double)], heldOut: Double = 0.1, seed: UInt64 = 5, epochs: Int = 0
  ) throws -> Dataset {
    try Dataset(
      counts.map { (Counting(path: "n\($0.0)", count: $0.0), $0.1) }, sequenceLength: 9,
      heldOut: heldOut, seed: seed, epochLimit: epochs, vocabulary: 1 << 30)
  }

  @Test("an epoch reads every training row once, held-out rows never")
  func epoch() throws {
    let data = try dataset([(1005, 1)])
    var cursor = data.startCursor
    let starts = try (0..<90).map { _ in try data.next(&cursor)[0] }
    #expect(Set(starts) == Set((0..<90).map { UInt32($0 * 10) }))
    #expect(starts != starts.sorted())
    let next = try (0..<90).map { _ in try data.next(&cursor)[0] }
    #expect(Set(next) == Set(starts))
    #expect(next != starts)
    let held = try data.heldOutRows(limit: 100).map { $0[0] }
    #expect(held == (90..<100).map { UInt32($0 * 10) })
  }

  @Test("reading resumes from a cursor, and ends when epochs are limited")
  func cursor() throws {
    let data = try dataset([(500, 0.7), (400, 0.3)], epochs: 2)
    var cursor = data.startCursor
    let all = try (0..<60).map { _ in try data.next(&cursor) }
    #expect(cursor.perSource[0] > cursor.perSource[1])
    #expect(cursor.rowCount == 60)
    var other = data.startCursor
    _ = try (0..<25).map { _ in try data.next(&other) }
    var resumed = DataCursor(perSource: other.perSource)
    #expect(try (25..<60).map { _ in try data.next(&resumed) } == Array(all[25...]))
    #expect(throws: DataError(.exhausted(epochs: 2), "n500")) {
      for _ in 0..<1000 { _ = try data.next(&cursor) }
    }
  }

  @Test("too few tokens are an error with numbers")
  func tooFew() throws {
    #expect(throws: DataError(.tooFewTokens(found: 19, needed: 20), "n19")) {
      try dataset([(19, 1)])
    }
  }

  @Test("labels are the next tokens, prompts masked")
  func batch() {
    let start = TokenMark.startsDocument
    let apart = TokenBatch([[1, 2, 3 | start, 4], [5, 6, 7, 8 | start]], attention: .document)
    #expect(apart.tokens == [1, 2, 3, 5, 6, 7])
    #expect(apart.labels == [2, -100, 4, 6, 7, -100])
    #expect(apart.firstVisible == [0, 0, 2, 0, 0, 0])
    let whole = TokenBatch([[1, 2, 3 | start, 4], [5, 6, 7, 8 | start]])
    #expect(whole.labels == [2, 3, 4, 6, 7, 8])
    #expect(whole.firstVisible == nil)
    let batch = TokenBatch([[1, 2 | TokenMark.notLearned, 3], [4, 5, 6]])
    #expect(batch.tokens == [1, 2, 4, 5])
    #expect(batch.labels == [-100, 3, 5, 6])
    #expect(batch.targetCount == 3)
  }
}
