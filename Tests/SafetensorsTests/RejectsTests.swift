import ByteIO
import JSON
import Safetensors
import Tensors
import Testing

@Suite("safetensors: what is refused")
struct RejectsTests {
  @Test("rejects", arguments: frame + json + metadata + names + fields + sizes + cover)
  func rejects(_ sample: Rejected) {
    do {
      _ = try SafetensorsFile(ByteRegion(sample.bytes, path: "x"))
      Issue.record("accepted")
    } catch {
      #expect(error.problem == sample.problem)
      #expect(sample.testDescription.contains(error.code + ":"))
      #expect(error.file == "x")
      #expect(!error.message.isEmpty)
      #expect(error.kind == .malformed)
      if let position = sample.position { #expect(error.offset == position) }
    }
  }

  static let frame: [Rejected] = [
    .init("ST-1 st.too_short: empty file", [], .tooShort(byteCount: 0)),
    .init("ST-1 st.too_short: one byte", [1], .tooShort(byteCount: 1)),
    .init(
      "ST-1 st.too_short: seven bytes", .init(repeating: 0, count: 7), .tooShort(byteCount: 7)),
    .init("ST-2 st.header_empty: N = 0", lengthField(0), .headerEmpty, at: 0),
    .init(
      "ST-2 st.header_empty: N = 0, then a header", lengthField(0) + Array("{}".utf8),
      .headerEmpty),
    .init(
      "ST-2 st.header_past_end: N above the bytes left", lengthField(1000) + [0x7B, 0x7D],
      .headerPastEnd(byteCount: 1000, left: 2)),
    .init(
      "ST-2 st.header_too_large: N = 100,000,001", lengthField(100_000_001),
      .headerTooLarge(byteCount: 100_000_001)),
    .init(
      "ST-2 st.header_too_large: N = 2^63", lengthField(1 << 63),
      .headerTooLarge(byteCount: 1 << 63)),
    .init(
      "ST-2 st.header_too_large: N = 2^64 - 1", lengthField(.max), .headerTooLarge(byteCount: .max)),
    .init(
      "ST-1 st.not_safetensors: git-LFS pointer",
      Array("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n".utf8),
      .notSafetensors(.gitLFSPointer)),
    .init(
      "ST-1 st.not_safetensors: HTML", Array("<!DOCTYPE html><html><body>404</body>".utf8),
      .notSafetensors(.html)),
    .init(
      "ST-1 st.not_safetensors: HTML after a line break", Array("\n<html lang=\"en\">".utf8),
      .notSafetensors(.html)),
    .init(
      "ST-1 st.not_safetensors: zip",
      [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 30), .notSafetensors(.zip)),
    .init(
      "ST-1 st.not_safetensors: pickle",
      [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A], .notSafetensors(.pickle)),
    .init(
      "ST-1 st.not_safetensors: GGUF", Array("GGUF".utf8) + [3, 0, 0, 0, 0, 0, 0, 0],
      .notSafetensors(.gguf)),
  ]

  static let json: [Rejected] = [
    .init("ST-3 st.header_not_object: array", sample("[]"), .headerNotObject, at: 8),
    .init("ST-3 st.header_not_object: null", sample("null"), .headerNotObject),
    .init("ST-3 st.header_not_object: number", sample("12"), .headerNotObject),
    .init("ST-3 st.header_not_object: string", sample("\"{}\""), .headerNotObject),
    .init(
      "ST-3 st.header_byte_order_mark: BOM", sample("\u{FEFF}{}"), .json(.byteOrderMark), at: 8),
    .init(
      "ST-3 st.header_trailing_bytes: NUL padding",
      sample([0x7B, 0x7D, 0, 0, 0, 0, 0, 0]), .json(.trailingBytes(count: 6)), at: 10),
    .init(
      "ST-3 st.header_trailing_bytes: second value", sample("{} {}  ", padded: false),
      .json(.trailingBytes(count: 4)), at: 11),
    .init(
      "ST-3 st.header_invalid_utf8: a stray byte",
      sample(Array("{\"a".utf8) + [0xFF] + Array("\":1}".utf8)), .json(.invalidUTF8), at: 11),
    .init(
      "ST-3 st.header_invalid_utf8: overlong",
      sample(Array("{\"a".utf8) + [0xC0, 0xAF] + Array("\":1}".utf8)), .json(.invalidUTF8), at: 11),
    .init(
      "ST-3 st.header_lone_surrogate: half of a pair", sample("{\"\\ud800\":1}"),
      .json(.loneSurrogate), at: 10),
    .init(
      "ST-3 st.header_control_character: raw line break", sample("{\"a\nb\":1}"),
      .json(.controlCharacter(10)), at: 11),
    .init(
      "ST-3 st.header_unexpected_byte: trailing comma", sample("{\"__metadata__\":{},}"),
      .json(.unexpectedByte(0x7D, wanted: "a string key"))),
    .init(
      "ST-3 st.header_unexpected_byte: comment", sample("{/**/}"),
      .json(.unexpectedByte(0x2F, wanted: "a string key"))),
    .init(
      "ST-3 st.header_unexpected_byte: NaN", tensor(shape: "[NaN]"),
      .json(.unexpectedByte(0x4E, wanted: "a value"))),
    .init(
      "ST-3 st.header_unexpected_byte: Infinity", tensor(shape: "[Infinity]"),
      .json(.unexpectedByte(0x49, wanted: "a value"))),
    .init(
      "ST-3 st.header_too_deep: 200 levels",
      tensor(shape: String(repeating: "[", count: 200) + String(repeating: "]", count: 200)),
      .json(.tooDeep(limit: 64))),
    .init(
      "ST-3 st.header_too_deep: 100,000 levels", sample(String(repeating: "[", count: 100_000)),
      .json(.tooDeep(limit: 64))),
    .init(
      "ST-3 st.header_invalid_number: leading zero", tensor(offsets: "[0,04]"),
      .json(.invalidNumber)),
    .init("ST-3 st.header_truncated: no closing brace", sample("{"), .json(.unexpectedEnd)),
    .init(
      "ST-4 st.duplicate_key: tensor, same value", sample("{\(entry()),\(entry())}", data: 4),
      .duplicateKey("a", first: 9), at: 61),
    .init(
      "ST-4 st.duplicate_key: tensor, only the last valid",
      sample("{\(entry("a", "\"U8\"", "[9]")),\(entry())}", data: 4),
      .duplicateKey("a", first: 9)),
    .init(
      "ST-4 st.duplicate_key: tensor, other span",
      sample("{\(entry()),\(entry("a", "\"U8\"", "[4]", "[4,8]"))}", data: 8),
      .duplicateKey("a", first: 9), at: 61),
    .init(
      "ST-4 st.duplicate_key: differ only by escaping",
      sample("{\(entry()),\(entry("\\u0061", "\"U8\"", "[4]", "[4,8]"))}", data: 8),
      .duplicateKey("a", first: 9), at: 61),
    .init(
      "ST-4 st.duplicate_key: __metadata__",
      sample("{\"__metadata__\":{},\"__metadata__\":{}}"),
      .duplicateKey("__metadata__", first: 9), at: 27),
    .init(
      "ST-4 st.duplicate_key: inside __metadata__",
      sample("{\"__metadata__\":{\"k\":\"1\",\"k\":\"1\"}}"), .duplicateKey("k", first: 25)),
    .init(
      "ST-4 st.duplicate_key: field of an entry",
      sample("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}"), .duplicateKey("dtype", first: 14)),
  ]

  static let metadata: [Rejected] = [
    .init(
      "ST-5 st.metadata_not_string: number", sample("{\"__metadata__\":{\"k\":1}}"),
      .metadataNotString(key: "k"), at: 25),
    .init(
      "ST-5 st.metadata_not_string: list", sample("{\"__metadata__\":{\"k\":[]}}"),
      .metadataNotString(key: "k")),
    .init(
      "ST-5 st.metadata_not_string: object", sample("{\"__metadata__\":{\"k\":{}}}"),
      .metadataNotString(key: "k")),
    .init(
      "ST-5 st.metadata_not_object: string", sample("{\"__metadata__\":\"k\"}"), .metadataNotObject),
    .init(
      "ST-5 st.name_reserved: a tensor named __metadata__", tensor("__metadata__"), .reservedName),
  ]

  static let names: [Rejected] = [
    .init("ST-6 st.name_empty: empty name", tensor(""), .nameEmpty),
    .init("ST-6 st.name_nul: NUL in a name", tensor("a\\u0000b"), .nameHasNUL),
    .init(
      "ST-6 st.name_too_long: 64 KiB", tensor(String(repeating: "n", count: 65536)),
      .nameTooLong(byteCount: 65536)),
  ]

  static let fields: [Rejected] =
    [
      .init("ST-7 st.entry_not_object: number", sample("{\"a\":1}"), .entryNotObject, at: 9),
      .init("ST-7 st.entry_not_object: null", sample("{\"a\":null}"), .entryNotObject),
      .init(
        "ST-7 st.field_missing: dtype", sample("{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}"),
        .fieldMissing("dtype")),
      .init(
        "ST-7 st.field_missing: shape", sample("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}"),
        .fieldMissing("shape")),
      .init(
        "ST-7 st.field_missing: data_offsets", sample("{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}"),
        .fieldMissing("data_offsets")),
      .init("ST-8 st.dtype_unknown: no such type", tensor(dtype: "\"F33\""), .typeUnknown("F33")),
      .init("ST-8 st.dtype_unknown: lower case", tensor(dtype: "\"u8\""), .typeUnknown("u8")),
      .init("ST-8 st.dtype_unknown: C128", tensor(dtype: "\"C128\""), .typeUnknown("C128")),
      .init(
        "ST-7 st.field_invalid: dtype is a number", tensor(dtype: "8"),
        .fieldInvalid("dtype", found: "8", wanted: "a string")),
      .init(
        "ST-7 st.field_invalid: one offset", tensor(offsets: "[0]"),
        .fieldInvalid("data_offsets", found: "[0]", wanted: "an array of two numbers")),
      .init(
        "ST-7 st.field_invalid: three offsets", tensor(offsets: "[0,4,8]"),
        .fieldInvalid("data_offsets", found: "[0,4,8]", wanted: "an array of two numbers")),
    ] + integers

  /// What is no plain integer: rows 26, 47 and 48 of the checklist.
  static let integers: [Rejected] =
    ["-0", "4.0", "4e0", "\"4\"", "-4", "null"].map {
      .init(
        "ST-7 st.field_invalid: offset \($0)", tensor(offsets: "[0,\($0)]"),
        .fieldInvalid("data_offsets", found: $0, wanted: "a non-negative integer"))
    }
    + ["-4", "4.5", "-0", "[4]"].map {
      .init(
        "ST-7 st.field_invalid: dimension \($0)", tensor(shape: "[\($0)]"),
        .fieldInvalid("shape", found: $0, wanted: "a non-negative integer"))
    }

  static let sizes: [Rejected] = [
    .init(
      "ST-9 st.overflow: offset 2^64", tensor(offsets: "[0,18446744073709551616]"),
      .overflow("18446744073709551616 in data_offsets")),
    .init(
      "ST-9 st.overflow: offset 2^63", tensor(offsets: "[0,9223372036854775808]"),
      .overflow("9223372036854775808 in data_offsets")),
    .init(
      "ST-9 st.overflow: product", tensor(shape: "[4294967296,4294967296]"),
      .overflow("the tensor's size")),
    .init(
      "ST-9 st.overflow: product × bit width",
      tensor(dtype: "\"F32\"", shape: "[1152921504606846976]"), .overflow("the tensor's size")),
    .init(
      "ST-9 st.overflow: behind a zero, too large a dimension",
      tensor(shape: "[0,9223372036854775808,4]", offsets: "[0,0]", data: 0),
      .overflow("9223372036854775808 in shape")),
    .init(
      "ST-9 st.overflow: behind a zero, too large a product",
      tensor(shape: "[4611686018427387904,4,0]", offsets: "[0,0]", data: 0),
      .overflow("the tensor's size")),
    .init(
      "ST-9 st.rank_too_large: a million dimensions",
      tensor(
        shape: "[1" + String(repeating: ",1", count: 999_999) + "]", offsets: "[0,1]", data: 1),
      .rankTooLarge(1_000_000)),
    .init(
      "ST-10 st.fractional_bytes: F4, odd count",
      tensor(dtype: "\"F4\"", shape: "[3]", offsets: "[0,2]", data: 2),
      .fractionalBytes(shape: [3], .f4)),
    .init(
      "ST-10 st.fractional_bytes: F6, no multiple of four",
      tensor(dtype: "\"F6_E2M3\"", shape: "[2]", offsets: "[0,2]", data: 2),
      .fractionalBytes(shape: [2], .f6E2M3)),
    .init(
      "ST-10 st.size_mismatch: shape × size is not the span",
      tensor(dtype: "\"F32\"", shape: "[2,3]", offsets: "[0,20]", data: 20),
      .sizeMismatch(shape: [2, 3], .f32, byteCount: 24, span: 20)),
    .init(
      "ST-11 st.offsets_reversed: end before begin", tensor(offsets: "[4,0]"),
      .offsetsReversed(begin: 4, end: 0)),
  ]

  /// Eight tensors of the largest size, one after another.
  static let hugeEntries = (0..<8).map {
    let size = (1 << 60) - 1
    return entry("\($0)", "\"U8\"", "[\(size)]", "[\($0 * size),\(($0 + 1) * size)]")
  }.joined(separator: ",")
  static let hugeCount = sample("{\(hugeEntries)}").count

  static let cover: [Rejected] = [
    .init(
      "ST-12 st.hole: before the first tensor", tensor(offsets: "[4,8]", data: 8),
      .hole(from: 0, to: 4)),
    .init(
      "ST-12 st.hole: between tensors",
      sample("{\(entry()),\(entry("b", "\"U8\"", "[4]", "[8,12]"))}", data: 12),
      .hole(from: 4, to: 8)),
    .init(
      "ST-12 st.hole: empty tensor past the end",
      sample("{\(entry()),\(entry("b", "\"U8\"", "[0]", "[99,99]"))}", data: 4),
      .hole(from: 4, to: 99)),
    .init(
      "ST-12 st.overlap: partly",
      sample("{\(entry()),\(entry("b", "\"U8\"", "[4]", "[2,6]"))}", data: 6),
      .overlap(with: "a", 2..<6, 0..<4)),
    .init(
      "ST-12 st.overlap: the same span",
      sample("{\(entry()),\(entry("b"))}", data: 4), .overlap(with: "a", 0..<4, 0..<4)),
    .init(
      "ST-12 st.overlap: an empty tensor inside another",
      sample("{\(entry()),\(entry("b", "\"U8\"", "[0]", "[2,2]"))}", data: 4),
      .overlap(with: "a", 2..<2, 0..<4)),
    .init(
      "ST-13 st.data_short: truncated data", tensor(data: 3),
      .dataShort(expected: 68, actual: 67)),
    .init(
      "ST-13 st.data_short: span past the end",
      tensor(shape: "[100]", offsets: "[0,100]"), .dataShort(expected: 172, actual: 76)),
    .init(
      "ST-13 st.data_short: spans up to 2^63 - 8", sample("{\(hugeEntries)}"),
      .dataShort(expected: .max, actual: hugeCount)),
    .init(
      "ST-13 st.data_trailing: one byte", tensor(data: 5), .dataTrailing(expected: 68, actual: 69)),
    .init(
      "ST-13 st.data_trailing: a zip appended",
      tensor() + [0x50, 0x4B, 5, 6]
        + [UInt8](repeating: 0, count: 18), .dataTrailing(expected: 68, actual: 90)),
    .init(
      "ST-13 st.data_trailing: no tensors, one byte", sample("{}", data: 1),
      .dataTrailing(expected: 16, actual: 17)),
  ]
}
