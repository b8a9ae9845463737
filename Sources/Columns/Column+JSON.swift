import ByteIO
package import JSON

extension Column {
  /// The value at `index`, as JSON says it: how records of all formats look alike.
  ///
  /// Bytes that are no UTF-8 become `0x` and their digits. A schema limits the depth.
  package func json(_ index: Int, _ type: FieldType) -> JSONValue {
    if isMissing(index) { return .null }
    switch (content, type) {
    case (.primitive(let values), .primitive(let type)):
      return values.json(index, type)
    case (.list(let offsets, let elements), .list(let field)):
      return .array((offsets[index]..<offsets[index + 1]).map { elements.json($0, field.type) })
    case (.structure(let columns), .structure(let fields)):
      return .object(
        JSONObject(
          zip(fields, columns).map { .init(key: $0.name, value: $1.json(index, $0.type)) }))
    case (.map(let offsets, let keys, let values), .map(let key, let value)):
      return .array(
        (offsets[index]..<offsets[index + 1]).map {
          ["key": keys.json($0, key.type), "value": values.json($0, value.type)]
        })
    default: return .null
    }
  }
}

extension PrimitiveValues {
  fileprivate func json(_ index: Int, _ type: PrimitiveType) -> JSONValue {
    switch self {
    case .booleans(let values): .bool(values[index])
    case .integers(let values): Self.json(values[index], type)
    case .floats(let values):
      type == .float(bits: 64) ? JSONValue(values[index]) : JSONValue(Float(values[index]))
    case .bytes(let values): Self.json(values[index], type)
    }
  }

  private static func json(_ value: Int64, _ type: PrimitiveType) -> JSONValue {
    switch type {
    case .integer(64, isSigned: false):
      .number(JSONNumber(text: "\(UInt64(bitPattern: value))"))
    case .decimal(let scale): .number(JSONNumber(text: decimal("\(value)", scale: scale)))
    default: .number(JSONNumber(text: "\(value)"))
    }
  }

  private static func json(_ bytes: ArraySlice<UInt8>, _ type: PrimitiveType) -> JSONValue {
    if case .decimal(let scale) = type, let value = Int128(bigEndian: bytes) {
      return .number(JSONNumber(text: decimal("\(value)", scale: scale)))
    }
    if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
    return .string("0x" + hexadecimal(Array(bytes)))
  }

  /// An integer's digits with the point `scale` places from the right.
  private static func decimal(_ digits: String, scale: Int) -> String {
    guard scale > 0 else { return digits }
    let isNegative = digits.hasPrefix("-")
    var digits = String(digits.drop { $0 == "-" })
    digits = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
    let point = digits.index(digits.endIndex, offsetBy: -scale)
    return (isNegative ? "-" : "") + digits[..<point] + "." + digits[point...]
  }
}

extension Int128 {
  /// Two's complement, highest byte first; nil when there are no bytes or more than 16.
  fileprivate init?(bigEndian bytes: ArraySlice<UInt8>) {
    guard let first = bytes.first, bytes.count <= 16 else { return nil }
    self = first & 0x80 == 0 ? 0 : -1
    for byte in bytes { self = self << 8 | Int128(byte) }
  }
}
