import ByteIO

/// A metadata array, kept as the bytes it has in the file: a vocabulary of 50,000 pieces costs
/// two allocations, not 50,000.
public struct GGUFArray: Equatable, Sendable {
  /// Type of the elements; never `.array` (GG-7).
  public let type: GGUFValueType
  /// Number of elements.
  public let count: Int
  /// The elements as they lie in the file; strings with their eight-byte lengths.
  let bytes: [UInt8]
  /// Where each string's length begins in `bytes`; empty for other types.
  private let starts: [Int]

  /// Elements as a file has them, already checked; `starts` for strings only.
  init(type: GGUFValueType, count: Int, bytes: [UInt8], starts: [Int] = []) {
    self.type = type
    self.count = count
    self.bytes = bytes
    self.starts = starts
  }

  /// An array of strings.
  package init(strings: some Collection<[UInt8]>) {
    var bytes: [UInt8] = []
    var starts: [Int] = []
    starts.reserveCapacity(strings.count)
    for string in strings {
      starts.append(bytes.count)
      bytes.append(littleEndian: UInt64(string.count))
      bytes += string
    }
    self.init(type: .string, count: starts.count, bytes: bytes, starts: starts)
  }

  /// An array of strings.
  package init(strings: [String]) { self.init(strings: strings.lazy.map { Array($0.utf8) }) }

  package init(_ values: [Bool]) {
    self.init(type: .bool, count: values.count, bytes: values.map { $0 ? 1 : 0 })
  }

  package init(_ values: [Int32]) {
    var bytes: [UInt8] = []
    for value in values { bytes.append(littleEndian: value) }
    self.init(type: .int32, count: values.count, bytes: bytes)
  }

  package init(_ values: [Float]) {
    var bytes: [UInt8] = []
    for value in values { bytes.append(littleEndian: value.bitPattern) }
    self.init(type: .float32, count: values.count, bytes: bytes)
  }

  /// The bytes of string `index`; nothing for arrays of other types.
  public func stringBytes(_ index: Int) -> ArraySlice<UInt8> {
    guard type == .string else { return [] }
    let end = index + 1 < count ? starts[index + 1] : bytes.count
    return bytes[(starts[index] + 8)..<end]
  }

  /// Element `index`.
  public subscript(index: Int) -> GGUFValue {
    func integer<T: FixedWidthInteger>(_: T.Type) -> T {
      let size = MemoryLayout<T>.size
      return bytes[index * size..<(index + 1) * size].reversed().reduce(0) {
        $0 << 8 | T(truncatingIfNeeded: $1)
      }
    }
    switch type {
    case .uint8: return .uint8(bytes[index])
    case .int8: return .int8(Int8(bitPattern: bytes[index]))
    case .uint16: return .uint16(integer(UInt16.self))
    case .int16: return .int16(integer(Int16.self))
    case .uint32: return .uint32(integer(UInt32.self))
    case .int32: return .int32(integer(Int32.self))
    case .float32: return .float32(Float(bitPattern: integer(UInt32.self)))
    case .bool: return .bool(bytes[index] != 0)
    case .string: return .string(Array(stringBytes(index)))
    case .array: preconditionFailure("arrays do not nest")
    case .uint64: return .uint64(integer(UInt64.self))
    case .int64: return .int64(integer(Int64.self))
    case .float64: return .float64(Double(bitPattern: integer(UInt64.self)))
    }
  }

  /// All elements as integers; nil unless every one is.
  public var integers: [Int]? {
    var result: [Int] = []
    result.reserveCapacity(count)
    for i in 0..<count {
      guard let value = self[i].integer else { return nil }
      result.append(value)
    }
    return result
  }

  /// The elements of a float32 array.
  public var floats: [Float]? {
    guard type == .float32 else { return nil }
    return (0..<count).map { if case .float32(let value) = self[$0] { value } else { 0 } }
  }

  /// The strings, invalid UTF-8 repaired with U+FFFD; nil for other types.
  public var strings: [String]? {
    guard type == .string else { return nil }
    return (0..<count).map { String(decoding: stringBytes($0), as: UTF8.self) }
  }
}
