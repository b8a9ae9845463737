import ByteIO
import Tensors
import TestSupport
import Testing

@testable import GGUF

/// A malformed file and what must be said of it.
struct Rejected: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var bytes: [UInt8]
  var code: String
  var problem: GGUFError.Problem

  init(_ code: String, _ what: String, _ bytes: [UInt8], _ problem: GGUFError.Problem) {
    testDescription = "\(code): \(what)"
    self.bytes = bytes
    self.code = code
    self.problem = problem
  }
}

@Suite("GGUF rejects")
struct RejectionTests {
  @Test("GG-1, GG-2, GG-3: the frame", arguments: frame)
  func rejectsFrame(_ sample: Rejected) { check(sample) }

  @Test("GG-4, GG-5, GG-6, GG-7, GG-8: metadata", arguments: metadata)
  func rejectsMetadata(_ sample: Rejected) { check(sample) }

  @Test("GG-9, GG-10, GG-11, GG-12: tensors", arguments: tensors)
  func rejectsTensors(_ sample: Rejected) { check(sample) }

  @Test("GG-13, GG-14, GG-15: layouts of data", arguments: layouts)
  func rejectsLayouts(_ sample: Rejected) { check(sample) }

  private func check(_ sample: Rejected) {
    let error = #expect(throws: GGUFError.self) {
      _ = try GGUFFile(ByteRegion(sample.bytes, path: "test.gguf"))
    }
    #expect(error?.problem == sample.problem)
    #expect(error?.code == sample.code)
    #expect(error?.path == "test.gguf")
    #expect(error?.message.isEmpty == false)
  }

  private static func magic(_ text: String) -> [UInt8] {
    Array(text.utf8) + [UInt8](repeating: 1, count: 60)
  }

  static let frame: [Rejected] = [
    .init("gguf.too_short", "empty file", [], .tooShort(byteCount: 0)),
    .init("gguf.too_short", "three bytes", [71, 71, 85], .tooShort(byteCount: 3)),
    .init("gguf.not_gguf", "unknown magic", magic("GGUX"), .notGGUF(nil)),
    .init("gguf.not_gguf", "a zip archive", magic("PK\u{3}\u{4}"), .notGGUF(.zip)),
    .init("gguf.old_format", "ggml", magic("lmgg"), .oldFormat("ggml")),
    .init("gguf.old_format", "ggjt", magic("tjgg"), .oldFormat("ggjt")),
    .init("gguf.old_format", "ggla", magic("algg"), .oldFormat("ggla")),
    .init("gguf.version", "version 0", GGUFBytes(version: 0).bytes, .version(0)),
    .init("gguf.version", "version 1", GGUFBytes(version: 1).bytes, .version(1)),
    .init("gguf.version", "version 4", GGUFBytes(version: 4).bytes, .version(4)),
    .init(
      "gguf.big_endian", "version 3 with swapped bytes", GGUFBytes(version: 3 << 24).bytes,
      .bigEndian(version: 3)),
    .init(
      "gguf.tensor_count", "2^63 tensors", GGUFBytes(tensors: 1 << 63).bytes,
      .tensorCount(1 << 63, limit: 0)),
    .init(
      "gguf.metadata_count", "2^63 entries", GGUFBytes(entries: 1 << 63).bytes,
      .metadataCount(1 << 63, limit: 0)),
    .init(
      "gguf.truncated", "plausible counts, no entries left",
      GGUFBytes.metadata(count: 2, padding: nil) {
        $0.entry("long.key.with.many.letters", 4, UInt32(1))
      },
      .truncated(needed: 8, left: 0)),
  ]

  static let metadata: [Rejected] = [
    .init(
      "gguf.string_past_end", "key beyond the file",
      GGUFBytes.metadata { $0.add(UInt64(1000)) },
      .stringPastEnd(byteCount: 1000, left: 64)),
    .init(
      "gguf.key_empty", "empty key", GGUFBytes.metadata { $0.entry("", 0, UInt8(0)) }, .keyEmpty),
    .init(
      "gguf.key_too_long", "key of 65,536 bytes",
      GGUFBytes.metadata { $0.add(string: [UInt8](repeating: 97, count: 65536)) },
      .keyTooLong(byteCount: 65536)),
    .init(
      "gguf.key_not_utf8", "key with a lone continuation byte",
      GGUFBytes.metadata { $0.add(string: [0x61, 0x80]) }, .keyNotUTF8),
    .init(
      "gguf.duplicate_key", "the same key twice",
      GGUFBytes.metadata(count: 2) {
        $0.entry("a", 0, UInt8(1))
        $0.entry("a", 0, UInt8(2))
      }, .duplicateKey("a")),
    .init(
      "gguf.value_type", "type 13", GGUFBytes.metadata { $0.entry("a", 13, UInt8(1)) },
      .valueType(13)),
    .init(
      "gguf.value_type", "type -1", GGUFBytes.metadata { $0.entry("a", .max, UInt8(1)) },
      .valueType(.max)),
    .init(
      "gguf.string_past_end", "string beyond the file",
      GGUFBytes.metadata(padding: 32) { $0.entry("a", 8, UInt64(1000)) },
      .stringPastEnd(byteCount: 1000, left: 51)),
    .init(
      "gguf.string_too_long", "string over 1 GiB",
      GGUFBytes.metadata { $0.entry("a", 8, UInt64(1 << 30 + 1)) },
      .stringTooLong(byteCount: 1 << 30 + 1)),
    .init(
      "gguf.array_past_end", "2^40 bytes in a tiny file",
      GGUFBytes.metadata {
        $0.entry("a", 9, UInt32(0))
        $0.add(UInt64(1 << 40))
      }, .arrayPastEnd(count: 1 << 40, .uint8, left: 79)),
    .init(
      "gguf.array_past_end", "2^61 strings, whose bytes wrap 2^64",
      GGUFBytes.metadata {
        $0.entry("a", 9, UInt32(8))
        $0.add(UInt64(1 << 61))
      }, .arrayPastEnd(count: 1 << 61, .string, left: 79)),
    .init(
      "gguf.array_nested", "array of arrays",
      GGUFBytes.metadata {
        $0.entry("a", 9, UInt32(9))
        $0.add(UInt64(1))
      }, .arrayNested),
    .init(
      "gguf.value_type", "array of unknown type",
      GGUFBytes.metadata {
        $0.entry("a", 9, UInt32(77))
        $0.add(UInt64(1))
      }, .valueType(77)),
    .init(
      "gguf.bool_value", "bool of 2", GGUFBytes.metadata { $0.entry("a", 7, UInt8(2)) },
      .boolValue(2)),
    .init(
      "gguf.bool_value", "bool of 2 in an array",
      GGUFBytes.metadata {
        $0.entry("a", 9, UInt32(7))
        $0.add(UInt64(2))
        $0.bytes += [1, 2]
      }, .boolValue(2)),
    alignment(0), alignment(13), alignment(1 << 31),
    .init(
      "gguf.alignment_type", "alignment of type int32",
      GGUFBytes.metadata { $0.entry("general.alignment", 5, Int32(32)) }, .alignmentType(.int32)),
    .init(
      "gguf.alignment_type", "alignment of type uint64",
      GGUFBytes.metadata { $0.entry("general.alignment", 10, UInt64(32)) }, .alignmentType(.uint64)),
    .init(
      "gguf.duplicate_key", "alignment twice",
      GGUFBytes.metadata(count: 2) {
        $0.entry("general.alignment", 4, UInt32(32))
        $0.entry("general.alignment", 4, UInt32(64))
      }, .duplicateKey("general.alignment")),
  ]

  private static func alignment(_ value: UInt32) -> Rejected {
    .init(
      "gguf.alignment", "alignment \(value)",
      GGUFBytes.metadata { $0.entry("general.alignment", 4, value) }, .alignment(value))
  }

  private static func tensor(
    _ code: String, _ what: String, _ problem: GGUFError.Problem, name: String = "a",
    rank: UInt32? = nil, _ dimensions: [UInt64] = [4], type: UInt32 = 0, at offset: UInt64 = 0
  ) -> Rejected {
    .init(
      code, what,
      GGUFBytes.tensors { $0.tensor(name, rank: rank, dimensions, type: type, at: offset) }, problem
    )
  }

  static let tensors: [Rejected] = [
    tensor(
      "gguf.name_too_long", "name of 64 bytes", .nameTooLong(byteCount: 64),
      name: String(repeating: "n", count: 64)),
    tensor("gguf.name_empty", "empty name", .nameEmpty, name: ""),
    tensor("gguf.name_nul", "NUL in the name", .nameHasNUL, name: "a\0b"),
    .init(
      "gguf.name_not_utf8", "name that is no UTF-8",
      GGUFBytes.tensors {
        $0.add(string: [0xc3])
        $0.bytes += [UInt8](repeating: 0, count: 24)
      }, .nameNotUTF8),
    .init(
      "gguf.duplicate_tensor", "two tensors of one name",
      GGUFBytes.tensors(2) {
        $0.tensor("a", [4], at: 0)
        $0.tensor("a", [4], at: 32)
      }, .duplicateTensor),
    tensor("gguf.rank", "five dimensions", .rank(5), [1, 1, 1, 1, 1]),
    tensor("gguf.rank", "10^6 dimensions", .rank(1_000_000), rank: 1_000_000),
    tensor("gguf.rank", "2^32 - 1 dimensions", .rank(.max), rank: .max),
    tensor("gguf.dimension", "negative dimension", .dimension(.max), [.max]),
    tensor(
      "gguf.overflow", "element product beyond 2^63",
      .overflow([1 << 32, 1 << 32], .element(.f32)), [1 << 32, 1 << 32]),
    tensor(
      "gguf.overflow", "product hidden behind a zero",
      .overflow([4, 1 << 62, 0], .element(.f32)), [0, 1 << 62, 4]),
    tensor("gguf.overflow", "bytes beyond 2^63", .overflow([1 << 61], .element(.f32)), [1 << 61]),
    tensor("gguf.type_removed", "Q4_2", .typeRemoved(4, name: "Q4_2"), type: 4),
    tensor("gguf.type_removed", "Q4_3", .typeRemoved(5, name: "Q4_3"), type: 5),
    tensor("gguf.type_removed", "Q4_0_4_4", .typeRemoved(31, name: "Q4_0_4_4"), type: 31),
    tensor("gguf.type_unknown", "type 99", .typeUnknown(99), type: 99),
    tensor(
      "gguf.partial_block", "row of 33 in blocks of 32", .partialBlock(row: 33, .q80), [33], type: 8
    ),
    tensor(
      "gguf.partial_block", "128 rows of 2 in blocks of 256", .partialBlock(row: 2, .q4K),
      [2, 128],
      type: 12),
  ]

  static let layouts: [Rejected] = [
    tensor(
      "gguf.offset_unaligned", "offset 8", .offsetUnaligned(8, alignment: 32), at: 8),
    tensor(
      "gguf.offset_past_end", "offset beyond the file", .offsetPastEnd(4096, byteCount: 64),
      at: 4096),
    tensor(
      "gguf.offset_past_end", "offset that wraps 2^64", .offsetPastEnd(.max - 31, byteCount: 64),
      at: .max - 31),
    tensor(
      "gguf.data_short", "tensor longer than the data", .dataShort(expected: 80, actual: 64), [20]),
    .init(
      "gguf.overlap", "the same span twice",
      GGUFBytes.tensors(2) {
        $0.tensor("a", [4], at: 0)
        $0.tensor("b", [4], at: 0)
      }, .overlap(with: "a", 0..<16, 0..<16)),
    .init(
      "gguf.overlap", "spans that share bytes",
      GGUFBytes.tensors(2, data: 128) {
        $0.tensor("a", [16], at: 0)
        $0.tensor("b", [4], at: 32)
      }, .overlap(with: "a", 32..<48, 0..<64)),
    .init(
      "gguf.hole", "32 bytes between two tensors",
      GGUFBytes.tensors(2, data: 128) {
        $0.tensor("a", [4], at: 0)
        $0.tensor("b", [4], at: 64)
      }, .hole(from: 16, to: 64)),
    tensor("gguf.hole", "bytes before the first tensor", .hole(from: 0, to: 32), at: 32),
    .init(
      "gguf.offset_order", "offsets out of order",
      GGUFBytes.tensors(2) {
        $0.tensor("a", [4], at: 32)
        $0.tensor("b", [4], at: 0)
      }, .offsetOrder(32, expected: 0)),
  ]
}
