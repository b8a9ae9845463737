import ByteIO

/// Flag bits of every written entry: a data descriptor follows, and names are UTF-8.
private let writtenFlags: UInt16 = 0x0808
/// The first of January 1980, the earliest date there is: no file tells when it was written.
private let writtenDate: UInt16 = 0x0021

/// The all-ones value that defers to the zip64 extra field, or the number itself where it fits.
private func narrowed(_ value: Int) -> UInt32 {
  UInt32(exactly: value).flatMap { $0 == .max ? nil : $0 } ?? .max
}

extension ZipEntry {
  private static let zip64: UInt16 = 1
  /// Id of PyTorch's padding field, "FB".
  private static let padding: UInt16 = 0x4246

  private var isLarge: Bool { narrowed(byteCount) == .max }
  private var versionNeeded: UInt16 { isLarge || narrowed(headerOffset) == .max ? 45 : 20 }

  /// The header in front of the data, padded so that they begin at a multiple of `alignment`.
  ///
  /// CRC-32 and sizes are in the descriptor behind the data, since a stream learns the first only
  /// there.
  func localHeader(alignment: Int) -> [UInt8] {
    var extra: [UInt8] = []
    if isLarge {
      extra.append(littleEndian: Self.zip64)
      extra.append(littleEndian: UInt16(16))
      extra += [UInt8](repeating: 0, count: 16)
    }
    let fixed = headerOffset + 30 + name.utf8.count + extra.count + 4
    let padding = (alignment - fixed % alignment) % alignment
    extra.append(littleEndian: Self.padding)
    extra.append(littleEndian: UInt16(padding))
    extra += [UInt8](repeating: 0, count: padding)
    var header: [UInt8] = []
    header.append(littleEndian: UInt32(0x0403_4B50))
    header.append(littleEndian: versionNeeded)
    appendCommon(to: &header, checksum: 0, size: isLarge ? .max : 0)
    header.append(littleEndian: UInt16(extra.count))
    return header + name.utf8 + extra
  }

  /// What follows the data: CRC-32 and sizes, of 64 bits where 32 are too few.
  var descriptor: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: UInt32(0x0807_4B50))
    bytes.append(littleEndian: checksum)
    for _ in 0..<2 {
      if isLarge {
        bytes.append(littleEndian: UInt64(byteCount))
      } else {
        bytes.append(littleEndian: UInt32(byteCount))
      }
    }
    return bytes
  }

  /// The entry's record in the central directory.
  fileprivate var centralRecord: [UInt8] {
    var wide: [UInt8] = []
    for value in (isLarge ? [byteCount, byteCount] : []) + [headerOffset]
    where narrowed(value) == .max {
      wide.append(littleEndian: UInt64(value))
    }
    var extra: [UInt8] = []
    if !wide.isEmpty {
      extra.append(littleEndian: Self.zip64)
      extra.append(littleEndian: UInt16(wide.count))
      extra += wide
    }
    var record: [UInt8] = []
    record.append(littleEndian: UInt32(0x0201_4B50))
    record.append(littleEndian: UInt16(45))
    record.append(littleEndian: versionNeeded)
    appendCommon(to: &record, checksum: checksum, size: narrowed(byteCount))
    record.append(littleEndian: UInt16(extra.count))
    // Comment, disk and attributes: none.
    record += [UInt8](repeating: 0, count: 10)
    record.append(littleEndian: narrowed(headerOffset))
    return record + name.utf8 + extra
  }

  /// The fields that both kinds of header have in a row, from the flags to the name's length.
  private func appendCommon(to bytes: inout [UInt8], checksum: UInt32, size: UInt32) {
    bytes.append(littleEndian: writtenFlags)
    bytes.append(littleEndian: method.rawValue)
    bytes.append(littleEndian: UInt16(0))
    bytes.append(littleEndian: writtenDate)
    bytes.append(littleEndian: checksum)
    bytes.append(littleEndian: size)
    bytes.append(littleEndian: size)
    bytes.append(littleEndian: UInt16(truncatingIfNeeded: name.utf8.count))
  }
}

/// The central directory of `entries` at position `start`, and the end records, zip64's always, as
/// PyTorch writes them.
func zipDirectory(_ entries: [ZipEntry], at start: Int) -> [UInt8] {
  var bytes = entries.flatMap(\.centralRecord)
  let (count, byteCount) = (UInt64(entries.count), bytes.count)
  let end = UInt64(start + byteCount)
  bytes.append(littleEndian: UInt32(0x0606_4B50))
  bytes.append(littleEndian: UInt64(44))
  bytes.append(littleEndian: UInt16(45))
  bytes.append(littleEndian: UInt16(45))
  bytes.append(littleEndian: UInt64(0))
  for value in [count, count, UInt64(byteCount), UInt64(start)] {
    bytes.append(littleEndian: value)
  }
  bytes.append(littleEndian: UInt32(0x0706_4B50))
  bytes.append(littleEndian: UInt32(0))
  bytes.append(littleEndian: end)
  bytes.append(littleEndian: UInt32(1))
  bytes.append(littleEndian: UInt32(0x0605_4B50))
  bytes.append(littleEndian: UInt32(0))
  for _ in 0..<2 { bytes.append(littleEndian: UInt16(clamping: entries.count)) }
  bytes.append(littleEndian: narrowed(byteCount))
  bytes.append(littleEndian: narrowed(start))
  bytes.append(littleEndian: UInt16(0))
  return bytes
}
