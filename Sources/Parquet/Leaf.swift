import Columns

/// How values are stored, by the format's numbers.
enum PhysicalType: Int, Sendable {
  case boolean
  case int32, int64, int96
  case float, double
  case byteArray, fixedLengthByteArray

  /// Bytes of a value that is stored plainly; nil when they vary.
  func width(_ typeLength: Int) -> Int? {
    switch self {
    case .boolean, .byteArray: nil
    case .int32, .float: 4
    case .int64, .double: 8
    case .int96: 12
    case .fixedLengthByteArray: typeLength
    }
  }
}

/// A column of the file, without parts.
struct Leaf: Sendable {
  /// The names from the top to this one, joined by points.
  var path: String
  var physical: PhysicalType
  /// Bytes of a fixed-length value.
  var typeLength: Int
  var type: PrimitiveType
  var maximumDefinition: Int
  var maximumRepetition: Int

  /// PQ-6: what an element without children is.
  init(
    _ element: SchemaElement, path: String, definition: Int, repetition: Int
  ) throws(ParquetProblem) {
    guard let number = element.type, let physical = PhysicalType(rawValue: number) else {
      throw .elementType(name: path, element.type ?? -1)
    }
    if physical == .fixedLengthByteArray {
      guard (1...(1 << 20)).contains(element.typeLength) else {
        throw .typeLength(name: path, element.typeLength)
      }
    }
    self.path = path
    self.physical = physical
    typeLength = element.typeLength
    maximumDefinition = definition
    maximumRepetition = repetition
    type = try Self.type(element, physical, path)
  }

  private static func type(
    _ element: SchemaElement, _ physical: PhysicalType, _ path: String
  ) throws(ParquetProblem) -> PrimitiveType {
    switch (element.logicalType, element.convertedType) {
    case (.decimal(let scale), _): return try decimal(scale, path)
    case (nil, 5): return try decimal(element.scale, path)
    case (.integer(let bits, let isSigned), _):
      if physical == .int32 || physical == .int64 {
        return .integer(bits: physical == .int64 ? 64 : min(32, max(8, bits)), isSigned: isSigned)
      }
    case (nil, 11): if physical == .int32 { return .integer(bits: 8, isSigned: false) }
    case (nil, 12): if physical == .int32 { return .integer(bits: 16, isSigned: false) }
    case (nil, 13): if physical == .int32 { return .integer(bits: 32, isSigned: false) }
    case (nil, 14): if physical == .int64 { return .integer(bits: 64, isSigned: false) }
    case (.float16, _):
      if physical == .fixedLengthByteArray, element.typeLength == 2 { return .float(bits: 16) }
    case (.date, _), (nil, 6): if physical == .int32 { return .time("date") }
    case (.time, _), (nil, 7), (nil, 8):
      if physical == .int32 || physical == .int64 { return .time("time") }
    case (.timestamp, _), (nil, 9), (nil, 10): if physical == .int64 { return .time("timestamp") }
    case (.string, _), (.enumeration, _), (.json, _), (nil, 0), (nil, 4), (nil, 19):
      if physical == .byteArray { return .text }
    default: break
    }
    return plain(physical)
  }

  private static func decimal(_ scale: Int, _ path: String) throws(ParquetProblem) -> PrimitiveType
  {
    guard (0...38).contains(scale) else { throw .decimalScale(name: path, scale) }
    return .decimal(scale: scale)
  }

  private static func plain(_ physical: PhysicalType) -> PrimitiveType {
    switch physical {
    case .boolean: .boolean
    case .int32: .integer(bits: 32, isSigned: true)
    case .int64: .integer(bits: 64, isSigned: true)
    case .int96: .time("int96")
    case .float: .float(bits: 32)
    case .double: .float(bits: 64)
    case .byteArray, .fixedLengthByteArray: .binary
    }
  }
}
