import ByteIO
import JSON
package import Tensors

extension ElementType {
  /// The types that a safetensors file can hold (ST-8).
  package static let safetensorsTypes = allCases.filter { $0 != .c128 }
}

/// The header of a safetensors file, parsed and checked against the size of the data.
struct SafetensorsHeader {
  struct Entry {
    var name: TensorName
    var type: ElementType
    var shape: [Int]
    /// Position in the data, which starts after the header.
    var range: Range<Int>
    /// Position of the name in the file.
    var position: Int
  }

  private(set) var metadata: JSONObject?
  /// In order of position.
  private(set) var entries: [Entry] = []
  private(set) var warnings: [Warning] = []

  /// - Parameters:
  ///   - text: The header's bytes; they follow the eight of the length.
  ///   - dataCount: Bytes of the file after the header.
  init(_ text: [UInt8], dataCount: Int) throws(SafetensorsError) {
    let root = try Self.parse(text)
    noteSpace(text)
    entries.reserveCapacity(root.members.count)
    var extraFields: [(TensorName, String)] = []
    for member in root.members {
      let position = 8 + member.keyOffset
      if member.key == "__metadata__" {
        try readMetadata(member.value, at: position)
        continue
      }
      let name = TensorName(member.key)
      do throws(SafetensorsError) {
        try Self.checkName(name)
        let entry = try EntryParser(member.value)
        entries.append(
          Entry(
            name: name, type: entry.type, shape: entry.shape, range: entry.range,
            position: position))
        extraFields += entry.extraFields.map { (name, $0) }
      } catch {
        throw SafetensorsError(error.problem, at: position, tensor: name)
      }
    }
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound, $0.name)
        < ($1.range.lowerBound, $1.range.upperBound, $1.name)
    }
    try checkCover(dataStart: 8 + text.count, dataCount: dataCount)
    noteEntries(extraFields)
  }

  /// ST-6.
  static func checkName(_ name: TensorName) throws(SafetensorsError) {
    let bytes = name.string.utf8
    if bytes.isEmpty { throw SafetensorsError(.nameEmpty) }
    if name == "__metadata__" { throw SafetensorsError(.reservedName) }
    if bytes.contains(0) { throw SafetensorsError(.nameHasNUL) }
    if bytes.count > SafetensorsFile.nameLimit {
      throw SafetensorsError(.nameTooLong(byteCount: bytes.count))
    }
  }

  /// ST-3, ST-4.
  private static func parse(_ text: [UInt8]) throws(SafetensorsError) -> JSONObject {
    do throws(JSONError) {
      let value = try JSONValue(parsing: text, base: 8)
      if case .object(let object) = value { return object }
    } catch {
      if case .duplicateKey(let key, let first) = error.problem {
        throw SafetensorsError(.duplicateKey(key, first: first), at: error.position)
      }
      throw SafetensorsError(.json(error.problem), at: error.position)
    }
    throw SafetensorsError(.headerNotObject, at: 8)
  }

  /// ST-5.
  private mutating func readMetadata(
    _ value: JSONValue, at position: Int
  ) throws(SafetensorsError) {
    if value.isNull {
      warnings.append(Warning("st.metadata_null", "__metadata__ is null", offset: position))
      return
    }
    guard case .object(let object) = value else {
      throw SafetensorsError(.metadataNotObject, at: position)
    }
    if object["data_offsets"]?.array != nil {
      throw SafetensorsError(.reservedName, at: position)
    }
    for member in object.members where member.value.string == nil {
      throw SafetensorsError(.metadataNotString(key: member.key), at: 8 + member.keyOffset)
    }
    metadata = object
  }

  /// ST-12, ST-13: the tensors, in order of position, cover the data without hole or overlap.
  private func checkCover(dataStart: Int, dataCount: Int) throws(SafetensorsError) {
    var end = 0
    for (i, entry) in entries.enumerated() {
      if entry.range.lowerBound > end {
        throw SafetensorsError(
          .hole(from: end, to: entry.range.lowerBound), at: entry.position, tensor: entry.name)
      }
      if entry.range.lowerBound < end {
        let other = entries[i - 1]
        throw SafetensorsError(
          .overlap(with: other.name, entry.range, other.range), at: entry.position,
          tensor: entry.name)
      }
      end = entry.range.upperBound
    }
    // The spans alone can reach 2⁶³ - 1.
    let sum = dataStart.addingReportingOverflow(end)
    let (expected, actual) = (sum.overflow ? .max : sum.partialValue, dataStart + dataCount)
    if actual < expected {
      throw SafetensorsError(.dataShort(expected: expected, actual: actual), at: actual)
    }
    if actual > expected {
      throw SafetensorsError(.dataTrailing(expected: expected, actual: actual), at: expected)
    }
  }
}

// MARK: - Odd but allowed

extension SafetensorsHeader {
  private mutating func noteSpace(_ text: [UInt8]) {
    if text.count % 8 != 0 {
      warnings.append(
        Warning(
          "st.header_unaligned", "the header's length, \(text.count), is not a multiple of 8",
          offset: 0))
    }
    if text.first != UInt8(ascii: "{") {
      warnings.append(
        Warning("st.header_leading_space", "white space before the header's object", offset: 8))
    }
    let padding = text.reversed().prefix { $0 != UInt8(ascii: "}") }
    if padding.contains(where: { $0 != 0x20 }) {
      warnings.append(
        Warning(
          "st.header_padding", "the header is padded with bytes other than spaces",
          offset: 8 + text.count - padding.count))
    }
  }

  private mutating func noteEntries(_ extraFields: [(TensorName, String)]) {
    if let (name, field) = extraFields.first {
      warnings.append(
        Warning(
          "st.extra_field",
          "unknown fields in tensor entries, \(extraFields.count) in all, such as \"\(field)\"",
          tensor: name.string))
    }
    let unaligned = entries.filter {
      !$0.range.isEmpty && $0.range.lowerBound % max(1, $0.type.bitWidth / 8) != 0
    }
    if let first = unaligned.first {
      warnings.append(
        Warning(
          "st.unaligned",
          "tensors at an offset that is not a multiple of their element size, "
            + "\(unaligned.count) in all", offset: first.position, tensor: first.name.string))
    }
  }
}
