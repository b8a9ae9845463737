import JSON
import Tensors

/// The fields of one tensor in the header, each checked, and their sizes against one another.
struct EntryParser {
  let type: ElementType
  let shape: [Int]
  let range: Range<Int>
  let extraFields: [String]

  init(_ value: JSONValue) throws(SafetensorsError) {
    guard case .object(let object) = value else { throw SafetensorsError(.entryNotObject) }
    type = try Self.type(Self.field("dtype", of: object))
    shape = try Self.shape(Self.field("shape", of: object))
    range = try Self.range(Self.field("data_offsets", of: object))
    extraFields = object.members.map(\.key).filter {
      !["dtype", "shape", "data_offsets"].contains($0)
    }
    let count = try Self.byteCount(of: shape, type)
    guard count == range.count else {
      throw SafetensorsError(
        .sizeMismatch(shape: shape, type, byteCount: count, span: range.count))
    }
  }

  /// ST-9, ST-10: bytes that a tensor takes. A zero dimension does not hide an overflow.
  static func byteCount(of shape: [Int], _ type: ElementType) throws(SafetensorsError) -> Int {
    guard shape.count <= SafetensorsFile.rankLimit else {
      throw SafetensorsError(.rankTooLarge(shape.count))
    }
    var bits = type.bitWidth
    for dimension in shape where dimension != 0 {
      let (product, overflow) = bits.multipliedReportingOverflow(by: dimension)
      if overflow || dimension < 0 { throw SafetensorsError(.overflow("the tensor's size")) }
      bits = product
    }
    if shape.contains(0) { bits = 0 }
    guard bits % 8 == 0 else { throw SafetensorsError(.fractionalBytes(shape: shape, type)) }
    return bits / 8
  }

  private static func field(
    _ name: String, of object: JSONObject
  ) throws(SafetensorsError) -> JSONValue {
    guard let value = object[name] else { throw SafetensorsError(.fieldMissing(name)) }
    return value
  }

  /// ST-8.
  private static func type(_ value: JSONValue) throws(SafetensorsError) -> ElementType {
    guard case .string(let text) = value else {
      throw SafetensorsError(.fieldInvalid("dtype", found: excerpt(value), wanted: "a string"))
    }
    guard let type = ElementType(rawValue: text), type != .c128 else {
      throw SafetensorsError(.typeUnknown(text))
    }
    return type
  }

  private static func shape(_ value: JSONValue) throws(SafetensorsError) -> [Int] {
    guard case .array(let elements) = value else {
      throw SafetensorsError(.fieldInvalid("shape", found: excerpt(value), wanted: "an array"))
    }
    guard elements.count <= SafetensorsFile.rankLimit else {
      throw SafetensorsError(.rankTooLarge(elements.count))
    }
    var shape: [Int] = []
    for element in elements { shape.append(try count(element, "shape")) }
    return shape
  }

  /// ST-11.
  private static func range(_ value: JSONValue) throws(SafetensorsError) -> Range<Int> {
    guard case .array(let elements) = value, elements.count == 2 else {
      throw SafetensorsError(
        .fieldInvalid("data_offsets", found: excerpt(value), wanted: "an array of two numbers"))
    }
    let begin = try count(elements[0], "data_offsets")
    let end = try count(elements[1], "data_offsets")
    guard begin <= end else { throw SafetensorsError(.offsetsReversed(begin: begin, end: end)) }
    return begin..<end
  }

  /// A number of digits alone: neither `-0` nor `4.0` nor `4e0`.
  private static func count(
    _ value: JSONValue, _ field: String
  ) throws(SafetensorsError) -> Int {
    guard case .number(let number) = value,
      number.text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
    else {
      let wanted = "a non-negative integer"
      throw SafetensorsError(.fieldInvalid(field, found: excerpt(value), wanted: wanted))
    }
    guard let count = Int(number.text) else {
      throw SafetensorsError(.overflow("\(number.text.prefix(40)) in \(field)"))
    }
    return count
  }

  private static func excerpt(_ value: JSONValue) -> String {
    let text = value.text()
    return text.utf8.count <= 60 ? text : text.prefix(60) + "…"
  }
}
