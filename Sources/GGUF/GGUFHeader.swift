import ByteIO
import Tensors

/// Everything before the data of a GGUF file, checked field by field.
///
/// Data offsets are checked by `GGUFDataRanges`.
struct GGUFHeader {
  struct TensorInfo {
    var name: TensorName
    var type: StorageType
    /// Outermost dimension first.
    var shape: [Int]
    var byteCount: Int
    /// Offset in the data, as the file has it.
    var dataOffset: UInt64
    /// Position of the field `dataOffset` in the file.
    var position: Int
  }

  private(set) var version: UInt32 = 0
  private(set) var metadata: [(key: String, value: GGUFValue)] = []
  private(set) var index: [ExactString: Int] = [:]
  private(set) var tensors: [TensorInfo] = []
  private(set) var alignment = 32
  private(set) var warnings: [Warning] = []
  /// Where the header ends; the data starts at the next multiple of the alignment.
  private(set) var byteCount = 0

  private var cursor: GGUFCursor

  init(_ region: ByteRegion) throws(GGUFError) {
    guard region.byteCount >= 24 else {
      throw GGUFError(.tooShort(byteCount: region.byteCount), at: 0)
    }
    cursor = GGUFCursor(region)
    try readVersion(region)
    let tensorCount = try cursor.read(UInt64.self)
    let entryCount = try cursor.read(UInt64.self)
    // GG-3: the shortest tensor and the shortest entry bound both counts.
    let tensorLimit = cursor.left / 25
    guard tensorCount <= UInt64(tensorLimit) else {
      throw GGUFError(.tensorCount(tensorCount, limit: tensorLimit), at: 8)
    }
    let entryLimit = cursor.left / 14
    guard entryCount <= UInt64(entryLimit) else {
      throw GGUFError(.metadataCount(entryCount, limit: entryLimit), at: 16)
    }
    for _ in 0..<entryCount { try readEntry() }
    var names: Set<TensorName> = []
    for _ in 0..<tensorCount {
      let start = cursor.offset
      let tensor = try readTensor()
      guard names.insert(tensor.name).inserted else {
        throw GGUFError(.duplicateTensor, at: start, tensor: tensor.name)
      }
      tensors.append(tensor)
    }
    byteCount = cursor.offset
  }

  /// GG-1, GG-2.
  private mutating func readVersion(_ region: ByteRegion) throws(GGUFError) {
    guard try cursor.readBytes(4) == Array("GGUF".utf8) else {
      let signature: FileSignature?
      do throws(FileError) { signature = try FileSignature(of: region) } catch {
        throw GGUFError(.file(error))
      }
      if case .oldGGML(let magic) = signature { throw GGUFError(.oldFormat(magic), at: 0) }
      throw GGUFError(.notGGUF(signature), at: 0)
    }
    version = try cursor.read(UInt32.self)
    guard version == 2 || version == 3 else {
      let isSwapped = version != 0 && version & 0xffff == 0
      throw GGUFError(
        isSwapped ? .bigEndian(version: version.byteSwapped) : .version(version), at: 4)
    }
  }

  // MARK: Metadata

  private mutating func readEntry() throws(GGUFError) {
    let start = cursor.offset
    let key = try readKey()
    guard index.updateValue(metadata.count, forKey: ExactString(key)) == nil else {
      throw GGUFError(.duplicateKey(key), at: start)
    }
    let position = cursor.offset
    let value = try readValue(try readType(), key: key)
    if key == "general.alignment" { try setAlignment(value, at: position) }
    metadata.append((key, value))
  }

  /// GG-4.
  private mutating func readKey() throws(GGUFError) -> String {
    let start = cursor.offset
    let bytes = try cursor.readString(limit: 65535) { .keyTooLong(byteCount: $0) }
    if bytes.isEmpty { throw GGUFError(.keyEmpty, at: start) }
    guard let key = String(validating: bytes, as: UTF8.self) else {
      throw GGUFError(.keyNotUTF8, at: start)
    }
    let isPlain = bytes.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    if !isPlain { warn("key_style", "the key \(key) is not lower-case ASCII", at: start) }
    return key
  }

  private mutating func readType() throws(GGUFError) -> GGUFValueType {
    let start = cursor.offset
    let number = try cursor.read(UInt32.self)
    guard let type = GGUFValueType(rawValue: number) else {
      throw GGUFError(.valueType(number), at: start)
    }
    return type
  }

  /// GG-5 to GG-7.
  private mutating func readValue(
    _ type: GGUFValueType, key: String
  ) throws(GGUFError) -> GGUFValue {
    let start = cursor.offset
    switch type {
    case .uint8: return .uint8(try cursor.read(UInt8.self))
    case .int8: return .int8(try cursor.read(Int8.self))
    case .uint16: return .uint16(try cursor.read(UInt16.self))
    case .int16: return .int16(try cursor.read(Int16.self))
    case .uint32: return .uint32(try cursor.read(UInt32.self))
    case .int32: return .int32(try cursor.read(Int32.self))
    case .float32: return .float32(Float(bitPattern: try cursor.read(UInt32.self)))
    case .uint64: return .uint64(try cursor.read(UInt64.self))
    case .int64: return .int64(try cursor.read(Int64.self))
    case .float64: return .float64(Double(bitPattern: try cursor.read(UInt64.self)))
    case .bool:
      let value = try cursor.read(UInt8.self)
      guard value <= 1 else { throw GGUFError(.boolValue(value), at: start) }
      return .bool(value == 1)
    case .string:
      let bytes = try cursor.readString()
      if String(validating: bytes, as: UTF8.self) == nil {
        warn("string_not_utf8", "the value of \(key) is not valid UTF-8", at: start)
      }
      return .string(bytes)
    case .array: return .array(try readArray(key: key))
    }
  }

  /// GG-7.
  private mutating func readArray(key: String) throws(GGUFError) -> GGUFArray {
    let start = cursor.offset
    let type = try readType()
    if type == .array { throw GGUFError(.arrayNested, at: start) }
    let length = try cursor.read(UInt64.self)
    let size = type.byteCount ?? 8  // a string has at least its length
    guard length <= UInt64(cursor.left / size) else {
      throw GGUFError(.arrayPastEnd(count: length, type, left: cursor.left), at: start)
    }
    let count = Int(length)
    if type == .string {
      let (array, invalid) = try cursor.readStrings(count)
      if invalid > 0 {
        warn(
          "string_not_utf8", "\(invalid) of the \(count) strings of \(key) are not valid UTF-8",
          at: start)
      }
      return array
    }
    let dataStart = cursor.offset
    let bytes = try cursor.readBytes(count * size)
    if type == .bool, let bad = bytes.firstIndex(where: { $0 > 1 }) {
      throw GGUFError(.boolValue(bytes[bad]), at: dataStart + bad)
    }
    return GGUFArray(type: type, count: count, bytes: bytes)
  }

  /// GG-8.
  private mutating func setAlignment(_ value: GGUFValue, at position: Int) throws(GGUFError) {
    guard case .uint32(let number) = value else {
      throw GGUFError(.alignmentType(value.type), at: position)
    }
    guard number.nonzeroBitCount == 1, number <= GGUFFile.alignmentLimit else {
      throw GGUFError(.alignment(number), at: position)
    }
    if number < 8 {
      warn("alignment", "general.alignment is \(number), not a multiple of 8", at: position)
    }
    alignment = Int(number)
  }

  // MARK: Tensors

  private mutating func readTensor() throws(GGUFError) -> TensorInfo {
    let name = try readName()
    do throws(GGUFError) {
      let shape = try readShape()
      let start = cursor.offset
      let type: StorageType
      do throws(GGUFError) { type = try StorageType(ggml: cursor.read(UInt32.self)) } catch {
        throw GGUFError(error.problem, at: start)
      }
      let byteCount = try Self.byteCount(shape, type, at: start)
      let position = cursor.offset
      let dataOffset = try cursor.read(UInt64.self)
      return TensorInfo(
        name: name, type: type, shape: shape, byteCount: byteCount, dataOffset: dataOffset,
        position: position)
    } catch {
      var error = error
      error.name = name
      throw error
    }
  }

  /// GG-9.
  private mutating func readName() throws(GGUFError) -> TensorName {
    let start = cursor.offset
    let bytes = try cursor.readString(limit: GGUFFile.nameLimit) { .nameTooLong(byteCount: $0) }
    if bytes.isEmpty { throw GGUFError(.nameEmpty, at: start) }
    if bytes.contains(0) { throw GGUFError(.nameHasNUL, at: start) }
    guard let name = String(validating: bytes, as: UTF8.self) else {
      throw GGUFError(.nameNotUTF8, at: start)
    }
    return TensorName(name)
  }

  /// GG-10: the file lists the fastest dimension first; here the order is turned round, once.
  private mutating func readShape() throws(GGUFError) -> [Int] {
    let start = cursor.offset
    let rank = try cursor.read(UInt32.self)
    guard rank <= GGUFFile.rankLimit else { throw GGUFError(.rank(rank), at: start) }
    var shape: [Int] = []
    for _ in 0..<rank {
      let position = cursor.offset
      let value = try cursor.read(UInt64.self)
      guard let dimension = Int(exactly: value) else {
        throw GGUFError(.dimension(value), at: position)
      }
      shape.insert(dimension, at: 0)
    }
    return shape
  }

  /// GG-12.
  static func byteCount(
    _ shape: [Int], _ type: StorageType, at position: Int? = nil
  ) throws(GGUFError) -> Int {
    if case .block(let block) = type {
      let row = shape.last ?? 1
      guard row % block.elementCount == 0 else {
        throw GGUFError(.partialBlock(row: row, block), at: position)
      }
    }
    guard let count = elementCount(of: shape), let bytes = type.byteCount(elements: count) else {
      throw GGUFError(.overflow(shape, type), at: position)
    }
    return bytes
  }

  private mutating func warn(_ code: String, _ message: String, at position: Int) {
    warnings.append(Warning("gguf." + code, message, offset: position))
  }
}
