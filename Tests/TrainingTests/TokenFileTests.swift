import ByteIO
import Foundation
import TestSupport
import Testing

@testable import Training

private func little<Value: FixedWidthInteger>(_ values: [Value]) -> [UInt8] {
  values.flatMap { value in
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
  }
}

@Suite("RF-9: token files")
struct TokenFileTests {
  private let folder = TemporaryFolder()

  private func open(_ path: String, vocabulary: Int = 1000) throws -> TokenFile {
    let file = try TokenFile(path, DataSniffer(path).kind, vocabulary: vocabulary)
    try file.check(vocabulary: vocabulary)
    return file
  }

  private func ids(_ stream: any TokenStream) throws -> [UInt32] { try unmarked(stream) }

  /// Megatron's index, as its IndexedDatasetBuilder writes it, beside ids of type `code`.
  private func megatron(
    _ name: String, _ ids: [UInt8], lengths: [Int32], width: Int, code: UInt8 = 4,
    version: UInt64 = 1, documents: [Int64]? = nil
  ) throws -> String {
    var starts: [Int64] = [0]
    for length in lengths { starts.append((starts.last ?? 0) + Int64(length) * Int64(width)) }
    let borders = documents ?? (0...lengths.count).map { Int64($0) }
    let index =
      Array("MMIDIDX".utf8) + [0, 0] + little([version]) + [code]
      + little([UInt64(lengths.count), UInt64(borders.count)]) + little(lengths)
      + little(Array(starts.dropLast())) + little(borders)
    try folder.write(index, to: name + ".idx")
    return try folder.write(ids, to: name + ".bin")
  }

  @Test("RF-9: the index beside Megatron's ids says their type (F15)")
  func index() throws {
    let path = try megatron(
      "m", little([5, 0, 7, 9, 300] as [Int32]), lengths: [2, 3], width: 4)
    let file = try open(path)
    #expect(try ids(file) == [5, 0, 7, 9, 300])
    #expect(file.documentCount == 2)
    #expect(try ids(open(folder.file("m.idx"))) == [5, 0, 7, 9, 300])
    let narrow = try megatron("n", little([5, 300] as [UInt16]), lengths: [2], width: 2, code: 8)
    #expect(try ids(open(narrow)) == [5, 300])
  }

  @Test("RF-9: documents begin where the index says, or after the token that ends one")
  func documents() throws {
    // Two documents, the first of two sequences; one without tokens between them.
    let path = try megatron(
      "m", little([5, 0, 7, 9, 300, 4] as [Int32]), lengths: [2, 1, 0, 3], width: 4,
      documents: [0, 2, 3, 4])
    let file = try TokenFile(path, .megatron, vocabulary: 1000)
    #expect(file.marksDocuments)
    #expect(try documentStarts(file) == [0, 3])
    var part = [UInt32](repeating: 0, count: 2)
    try file.read(at: 3, into: &part)
    #expect(part == [9 | TokenMark.startsDocument, 300])
    let plain = try folder.write(little([1, 0, 3, 4, 0, 6] as [UInt16]), to: "p.bin")
    #expect(try !TokenFile(plain, .bin, vocabulary: 10).marksDocuments)
    let ended = try TokenFile(plain, .bin, vocabulary: 10, ending: 0)
    #expect(try documentStarts(ended) == [0, 2, 5])
    try ended.read(at: 2, into: &part)
    #expect(part == [3 | TokenMark.startsDocument, 4])
  }

  @Test("RF-9: borders of documents that do not ascend from the first sequence to the last")
  func badBorders() throws {
    let four = little([1, 2, 3, 4] as [Int32])
    for borders: [Int64] in [[1, 2], [0, 1], [0, 3], [0, 2, 1, 2], [0, -1, 2]] {
      let path = try megatron("m", four, lengths: [2, 2], width: 4, documents: borders)
      #expect(throws: DataError.self, "\(borders)") { try open(path) }
    }
  }

  @Test("RF-9: an index that does not fit its ids")
  func badIndex() throws {
    let four = little([1, 2, 3, 4] as [Int32])
    for path in [
      try megatron("short", four, lengths: [3], width: 4),
      try megatron("minus", four, lengths: [-1, 5], width: 4),
      try megatron("gap", four, lengths: [2, 2], width: 8),
      try megatron("version", four, lengths: [4], width: 4, version: 2),
      try megatron("type", four, lengths: [4], width: 4, code: 6),
    ] {
      #expect(throws: DataError.self, "\(path)") { try open(path) }
    }
    var huge = Array("MMIDIDX".utf8) + [0, 0] + little([1 as UInt64]) + [4]
    huge += little([UInt64.max, UInt64.max])
    try folder.write(huge, to: "huge.idx")
    let path = try folder.write(four, to: "huge.bin")
    #expect(throws: DataError.self) { try open(path) }
  }

  @Test("RF-9: bare ids whose every second is 0 have another width (F15)")
  func width() throws {
    let path = try folder.write(little([5, 6, 7, 300] as [Int32]), to: "a.bin")
    let error = #expect(throws: DataError.self) { try open(path) }
    guard case .ambiguous = error?.problem else {
      Issue.record("\(String(describing: error))")
      return
    }
    let bare = try folder.write(little([5, 0, 7, 1] as [UInt16]), to: "b.bin")
    #expect(try ids(open(bare)) == [5, 0, 7, 1])
  }

  @Test("RF-9: shards of llm.c")
  func shards() throws {
    func shard(_ magic: Int32, _ count: Int32, _ ids: [UInt8]) -> [UInt8] {
      little([magic, 1, count] + [Int32](repeating: 0, count: 253)) + ids
    }
    let narrow = try folder.write(
      shard(20_240_520, 3, little([1, 500, 2] as [UInt16])), to: "a.bin")
    #expect(try ids(open(narrow)) == [1, 500, 2])
    let wide = try folder.write(shard(20_240_801, 2, little([7, 8] as [UInt32])), to: "b.bin")
    #expect(try ids(open(wide)) == [7, 8])
    let short = try folder.write(shard(20_240_520, 4, [1, 0]), to: "c.bin")
    #expect(throws: DataError.self) { try open(short) }
  }

  @Test("a chunk of LitData is refused by name")
  func litData() throws {
    try folder.write(Array(#"{"chunks": [], "config": {}}"#.utf8), to: "l/index.json")
    let path = try folder.write([4, 0, 0, 0, 9, 9, 9, 1], to: "l/chunk-0-0.bin")
    let error = #expect(throws: DataError.self) { try open(path) }
    #expect(error?.problem == .notData("a chunk of a LitData set"))
  }

  @Test("-100 is said as it stands")
  func ignored() throws {
    let header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }\n"
    let path = try folder.write(
      [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
        + little([5, -100] as [Int32]), to: "a.npy")
    let error = #expect(throws: DataError.self) { try open(path) }
    #expect(error?.problem == .tokenOutOfRange(id: -100, vocabulary: 1000))
  }

  @Test("several files are read as one")
  func joined() throws {
    let parts = try (0..<3).map { i in
      try open(try folder.write(little([UInt16(3 * i), 1, 2]), to: "\(i).bin"))
    }
    let all = JoinedTokens(parts, path: "all")
    #expect(try ids(all) == [0, 1, 2, 3, 1, 2, 6, 1, 2])
    var some = [UInt32](repeating: 0, count: 5)
    try all.read(at: 2, into: &some)
    #expect(some == [2, 3, 1, 2, 6])
  }
}
