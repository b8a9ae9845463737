import ByteIO
package import Tensors

/// Where everything will lie in a GGUF file that is still to be written: version 3, little-endian,
/// tensors in the order of the request, the same bytes for the same request.
package struct GGUFLayout: Sendable {
  /// A tensor to be written.
  package struct Tensor: Equatable, Sendable {
    package var name: TensorName
    package var type: StorageType
    /// Outermost dimension first.
    package var shape: [Int]

    package init(name: TensorName, type: StorageType, shape: [Int]) {
      self.name = name
      self.type = type
      self.shape = shape
    }
  }

  /// A tensor and its place.
  package struct Entry: Equatable, Sendable {
    package var tensor: Tensor
    /// Position in the file.
    package var range: Range<Int>
  }

  /// In the order in which the bytes must be written.
  package let entries: [Entry]
  /// What comes before the tensors' bytes, its padding included.
  package let header: [UInt8]
  /// Size of the whole file; the last tensor is padded too.
  package let byteCount: Int

  /// - Parameter metadata: All entries in their order; `general.alignment` among them is followed.
  /// - Throws: When a key, a name, a shape or a type breaks a rule of the format.
  package init(
    _ tensors: [Tensor], metadata: [(key: String, value: GGUFValue)]
  ) throws(GGUFError) {
    let alignment = try Self.alignment(metadata)
    var header = Array("GGUF".utf8)
    header.append(littleEndian: UInt32(3))
    header.append(littleEndian: UInt64(tensors.count))
    header.append(littleEndian: UInt64(metadata.count))
    try Self.append(metadata, to: &header)
    var ranges: [Range<Int>] = []
    var end = 0
    var names: Set<TensorName> = []
    for tensor in tensors {
      guard names.insert(tensor.name).inserted else {
        throw GGUFError(.duplicateTensor, tensor: tensor.name)
      }
      let start = aligned(end, to: alignment)
      do throws(GGUFError) { end = try Self.append(tensor, at: start, to: &header) } catch {
        throw GGUFError(error.problem, tensor: tensor.name)
      }
      ranges.append(start..<end)
    }
    let dataStart = aligned(header.count, to: alignment)
    header += [UInt8](repeating: 0, count: dataStart - header.count)
    entries = zip(tensors, ranges).map {
      Entry(tensor: $0, range: dataStart + $1.lowerBound..<dataStart + $1.upperBound)
    }
    byteCount = dataStart + aligned(end, to: alignment)
    self.header = header
  }

  /// GG-8.
  private static func alignment(
    _ metadata: [(key: String, value: GGUFValue)]
  ) throws(GGUFError) -> Int {
    guard let value = metadata.first(where: { $0.key == "general.alignment" })?.value else {
      return 32
    }
    guard case .uint32(let number) = value else {
      throw GGUFError(.alignmentType(value.type))
    }
    guard number.nonzeroBitCount == 1, number <= GGUFFile.alignmentLimit else {
      throw GGUFError(.alignment(number))
    }
    return Int(number)
  }

  /// GG-4 to GG-7.
  private static func append(
    _ metadata: [(key: String, value: GGUFValue)], to header: inout [UInt8]
  ) throws(GGUFError) {
    var keys: Set<ExactString> = []
    for (key, value) in metadata {
      let count = key.utf8.count
      if count == 0 { throw GGUFError(.keyEmpty) }
      if count > 65535 { throw GGUFError(.keyTooLong(byteCount: UInt64(count))) }
      guard keys.insert(ExactString(key)).inserted else { throw GGUFError(.duplicateKey(key)) }
      header.append(string: Array(key.utf8))
      header.append(littleEndian: value.type.rawValue)
      header.append(value)
    }
  }

  /// GG-9 to GG-13; returns where the tensor ends in the data.
  private static func append(
    _ tensor: Tensor, at start: Int, to header: inout [UInt8]
  ) throws(GGUFError) -> Int {
    let name = Array(tensor.name.string.utf8)
    if name.isEmpty { throw GGUFError(.nameEmpty) }
    if name.contains(0) { throw GGUFError(.nameHasNUL) }
    guard name.count <= GGUFFile.nameLimit else {
      throw GGUFError(.nameTooLong(byteCount: UInt64(name.count)))
    }
    guard tensor.shape.count <= GGUFFile.rankLimit else {
      throw GGUFError(.rank(UInt32(clamping: tensor.shape.count)))
    }
    guard let number = tensor.type.ggmlNumber else { throw GGUFError(.noStorage(tensor.type)) }
    let count = try GGUFHeader.byteCount(tensor.shape, tensor.type)
    let (end, overflow) = start.addingReportingOverflow(count)
    // Far above any disk, and sums with a header's size still fit.
    guard !overflow, end < 1 << 60 else { throw GGUFError(.overflow(tensor.shape, tensor.type)) }
    header.append(string: name)
    header.append(littleEndian: UInt32(tensor.shape.count))
    for dimension in tensor.shape.reversed() { header.append(littleEndian: UInt64(dimension)) }
    header.append(littleEndian: number)
    header.append(littleEndian: UInt64(start))
    return end
  }
}

extension [UInt8] {
  fileprivate mutating func append(string: [UInt8]) {
    append(littleEndian: UInt64(string.count))
    self += string
  }

  /// Appends a metadata value without its type.
  fileprivate mutating func append(_ value: GGUFValue) {
    switch value {
    case .uint8(let value): append(value)
    case .int8(let value): append(UInt8(bitPattern: value))
    case .uint16(let value): append(littleEndian: value)
    case .int16(let value): append(littleEndian: value)
    case .uint32(let value): append(littleEndian: value)
    case .int32(let value): append(littleEndian: value)
    case .float32(let value): append(littleEndian: value.bitPattern)
    case .bool(let value): append(value ? 1 : 0)
    case .string(let bytes): append(string: bytes)
    case .array(let array):
      append(littleEndian: array.type.rawValue)
      append(littleEndian: UInt64(array.count))
      self += array.bytes
    case .uint64(let value): append(littleEndian: value)
    case .int64(let value): append(littleEndian: value)
    case .float64(let value): append(littleEndian: value.bitPattern)
    }
  }
}
