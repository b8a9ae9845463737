import ByteIO
import Safetensors
import Testing

/// A file that breaks a rule, and the error it must give.
struct Rejected: Sendable, CustomTestStringConvertible {
  /// Rule, code and case: `ST-2 st.header_past_end: …`.
  var testDescription: String
  var bytes: [UInt8]
  var problem: SafetensorsError.Problem
  var position: Int?

  init(
    _ testDescription: String, _ bytes: [UInt8], _ problem: SafetensorsError.Problem,
    at position: Int? = nil
  ) {
    self.testDescription = testDescription
    self.bytes = bytes
    self.problem = problem
    self.position = position
  }
}

/// A file that is allowed, and the warnings it must give.
struct Accepted: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var bytes: [UInt8]
  var names: [String]
  var warnings: [String]

  init(_ testDescription: String, _ bytes: [UInt8], names: [String], warnings: [String] = []) {
    self.testDescription = testDescription
    self.bytes = bytes
    self.names = names
    self.warnings = warnings
  }
}

/// Eight bytes of header length, little-endian.
func lengthField(_ length: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) }
}

/// A file of `header`, padded with spaces to a multiple of eight, and `data` zero bytes.
func sample(_ header: String, data: Int = 0, padded: Bool = true) -> [UInt8] {
  sample(Array(header.utf8), data: data, padded: padded)
}

func sample(_ header: [UInt8], data: Int = 0, padded: Bool = true) -> [UInt8] {
  let padding = [UInt8](repeating: 0x20, count: padded ? 7 - (header.count + 7) % 8 : 0)
  return lengthField(UInt64(header.count + padding.count)) + header + padding
    + [UInt8](repeating: 0, count: data)
}

/// A header member: `name` is spelled as it goes between the quotes.
func entry(
  _ name: String = "a", _ dtype: String = "\"U8\"", _ shape: String = "[4]",
  _ offsets: String = "[0,4]"
) -> String {
  "\"\(name)\":{\"dtype\":\(dtype),\"shape\":\(shape),\"data_offsets\":\(offsets)}"
}

/// A file with one tensor of four bytes unless said otherwise.
func tensor(
  _ name: String = "a", dtype: String = "\"U8\"", shape: String = "[4]",
  offsets: String = "[0,4]", data: Int = 4
) -> [UInt8] {
  sample("{" + entry(name, dtype, shape, offsets) + "}", data: data)
}
