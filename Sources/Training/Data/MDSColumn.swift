import ByteIO
import JSON

/// A column of an MDS shard.
struct MDSColumn {
  let name: String
  /// Bytes of a value; nil when each says its own.
  let size: Int?
  private let encoding: String

  private static let integers: [String: (width: Int, isSigned: Bool)] = [
    "int": (8, true), "int8": (1, true), "int16": (2, true), "int32": (4, true),
    "int64": (8, true), "uint8": (1, false), "uint16": (2, false), "uint32": (4, false),
    "uint64": (8, false),
  ]
  /// Numbers of the types in arrays that say theirs.
  private static let codes: [UInt8: String] = [
    8: "uint8", 9: "int8", 16: "uint16", 17: "int16", 32: "uint32", 33: "int32", 64: "uint64",
    65: "int64",
  ]

  static func columns(of config: JSONValue, _ path: String) throws(DataError) -> [MDSColumn] {
    let names = config["column_names"]?.array?.compactMap(\.string) ?? []
    let encodings = config["column_encodings"]?.array?.compactMap(\.string) ?? []
    let sizes = config["column_sizes"]?.array ?? []
    guard !names.isEmpty, encodings.count == names.count, sizes.count == names.count,
      sizes.allSatisfy({ size in size.isNull || size.integer.map { $0 >= 0 } ?? false })
    else {
      throw DataError(
        .badDescription("its columns' names, encodings and sizes are not lists of one length"), path
      )
    }
    return names.indices.map {
      MDSColumn(name: names[$0], size: sizes[$0].integer, encoding: encodings[$0])
    }
  }

  /// A value; nil for one that is no text, number or list of integers, such as an image.
  func value(
    _ bytes: ArraySlice<UInt8>, _ path: String, _ place: DataError.Place
  ) throws(DataError) -> JSONValue? {
    func fail(_ wanted: String) -> DataError {
      DataError(.wrongType(field: name, wanted: wanted), path, place)
    }
    switch encoding {
    case "str":
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw DataError(.invalidUTF8, path, place)
      }
      return .string(text)
    case "json", "str_int", "str_float":
      do { return try JSONValue(parsing: Array(bytes), path: path) } catch {
        throw fail("JSON")
      }
    case let name where name == "ndarray" || name.hasPrefix("ndarray:"):
      guard let numbers = array(bytes) else { throw fail("a list of integers") }
      return numbers
    default:
      guard let type = Self.integers[encoding] else { return nil }
      guard bytes.count == type.width else { throw fail("an integer of \(type.width) bytes") }
      return .number(JSONNumber(text: Self.integer(bytes, type.isSigned)))
    }
  }

  /// An array of integers of one dimension; nil for others. What its encoding does not say, it says itself:
  /// a byte for the type, a byte of rank and width for the shape, the shape.
  private func array(_ bytes: ArraySlice<UInt8>) -> JSONValue? {
    let parts = encoding.split(separator: ":")
    var rest = bytes
    var type = parts.count > 1 ? String(parts[1]) : ""
    if parts.count < 2 { type = rest.popFirst().flatMap { Self.codes[$0] } ?? "" }
    if parts.count < 3 {
      guard let form = rest.popFirst(), form >> 2 == 1, rest.count >= 1 << (form & 3) else {
        return nil
      }
      rest = rest.dropFirst(1 << (form & 3))
    } else if parts[2].contains(",") {
      return nil
    }
    guard let (width, isSigned) = Self.integers[type], rest.count % width == 0 else { return nil }
    return .array(
      stride(from: rest.startIndex, to: rest.endIndex, by: width).map {
        .number(JSONNumber(text: Self.integer(rest[$0..<$0 + width], isSigned)))
      })
  }

  private static func integer(_ bytes: ArraySlice<UInt8>, _ isSigned: Bool) -> String {
    let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let spare = 64 - 8 * bytes.count
    return isSigned ? "\(Int64(bitPattern: bits << UInt64(spare)) >> Int64(spare))" : "\(bits)"
  }
}
