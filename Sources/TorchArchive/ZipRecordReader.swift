import ByteIO

/// Reads the records of the central directory one after another, and local headers.
struct ZipRecordReader {
  private let bytes: [UInt8]
  private let region: ByteRegion
  /// Position of the first byte in the region.
  private let base: Int
  private var position = 0

  init(_ bytes: [UInt8], _ region: ByteRegion, base: Int) {
    self.bytes = bytes
    self.region = region
    self.base = base
  }

  var isAtEnd: Bool { position == bytes.count }

  /// One record of the central directory; sizes and position are bounded by `directory`'s start.
  mutating func centralEntry(directory: Range<Int>) throws(TorchError) -> ZipEntry {
    let start = position
    try expect(0x0201_4B50)
    _ = try number(UInt32.self)  // versions made by and needed: torch writes 0
    let flags = try number(UInt16.self)
    let method = try number(UInt16.self)
    _ = try number(UInt32.self)  // time
    let checksum = try number(UInt32.self)
    var sizes = [UInt64(try number(UInt32.self)), UInt64(try number(UInt32.self))]
    let (nameCount, extraCount) = (try number(UInt16.self), try number(UInt16.self))
    let commentCount = try number(UInt16.self)
    let disk = try number(UInt16.self)
    _ = try number(UInt16.self)  // internal attributes
    let attributes = try number(UInt32.self)
    sizes.append(UInt64(try number(UInt32.self)))
    let name = try name(try take(Int(nameCount)))
    let extra = try take(Int(extraCount))
    _ = try take(Int(commentCount))
    // Uncompressed size comes first in the extra field, compressed size second.
    var (count, compressed, offset) = (sizes[1], sizes[0], sizes[2])
    try Self.widen(&count, &compressed, &offset, by: extra) { zip64(name, at: start) }
    guard disk == 0 || disk == .max else { throw fail(.multiDisk, at: start) }
    try check(name, flags: flags, attributes: attributes, at: start)
    guard let known = ZipEntry.Method(rawValue: method) else {
      throw fail(.method(entry: name, method), at: start)
    }
    let limit = directory.lowerBound
    guard let header = Int(exactly: offset), header <= limit, compressed <= UInt64(limit - header)
    else {
      let end = offset.addingReportingOverflow(compressed)
      throw fail(
        .dataPastEnd(entry: name, end: end.overflow ? .max : end.partialValue, limit: limit),
        at: start)
    }
    let byteCount = try Self.size(count, compressed: Int(compressed), known) {
      fail($0(name), at: start)
    }
    return ZipEntry(
      name: name, method: known, checksum: checksum, compressedCount: Int(compressed),
      byteCount: byteCount, headerOffset: header, hasDescriptor: flags & 8 != 0)
  }

  /// Checks the local header at the current place against `entry`, but for what follows the
  /// lengths; gives the lengths of name and extra field.
  mutating func localHeader(
    _ entry: ZipEntry
  ) throws(TorchError) -> (sizes: [UInt64], name: Int, extra: Int) {
    try expect(0x0403_4B50)
    _ = try number(UInt16.self)
    let flags = try number(UInt16.self)
    let method = try number(UInt16.self)
    _ = try number(UInt32.self)
    let checksum = try number(UInt32.self)
    let sizes = [UInt64(try number(UInt32.self)), UInt64(try number(UInt32.self))]
    let (name, extra) = (Int(try number(UInt16.self)), Int(try number(UInt16.self)))
    guard (flags & 8 != 0) == entry.hasDescriptor, flags & ~Self.knownFlags == 0 else {
      throw mismatch(entry, "flag bit 3", entry.hasDescriptor ? 8 : 0, UInt64(flags))
    }
    guard method == entry.method.rawValue else {
      throw mismatch(entry, "method", UInt64(entry.method.rawValue), UInt64(method))
    }
    guard checksum == entry.checksum || (entry.hasDescriptor && checksum == 0) else {
      throw mismatch(entry, "CRC-32", UInt64(entry.checksum), UInt64(checksum))
    }
    return (sizes, name, extra)
  }

  func mismatch(
    _ entry: ZipEntry, _ field: String, _ central: UInt64, _ local: UInt64
  ) -> TorchError {
    fail(
      .headerMismatch(entry: entry.name, field: field, central: central, local: local), at: 0)
  }

  // MARK: Rules

  /// Compression hints, data descriptor, UTF-8 names.
  private static let knownFlags: UInt16 = 0x080E

  private func check(
    _ name: String, flags: UInt16, attributes: UInt32, at start: Int
  ) throws(TorchError) {
    guard flags & ~Self.knownFlags == 0 else { throw fail(.flags(entry: name, flags), at: start) }
    // The Unix file mode is in the upper half, whatever system the record claims.
    guard attributes >> 16 & 0xF000 != 0xA000 else { throw fail(.symbolicLink(name), at: start) }
  }

  private func name(_ bytes: ArraySlice<UInt8>) throws(TorchError) -> String {
    let shown = String(decoding: bytes, as: UTF8.self)
    let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let reason: String? =
      if bytes.isEmpty {
        "is empty"
      } else if String(validating: bytes, as: UTF8.self) == nil {
        "is not valid UTF-8"
      } else if bytes.contains(where: { $0 < 0x20 }) {
        "holds a control character"
      } else if bytes.contains(UInt8(ascii: "\\")) {
        "holds a backslash"
      } else if parts[0].isEmpty || parts[0].last == UInt8(ascii: ":") {
        "is absolute"
      } else if parts.contains(where: { $0.elementsEqual("..".utf8) }) {
        "leaves its folder"
      } else {
        nil
      }
    if let reason { throw fail(.name(shown, reason: reason), at: position) }
    return shown
  }

  private static func size(
    _ count: UInt64, compressed: Int, _ method: ZipEntry.Method,
    _ fail: ((String) -> ZipProblem) -> TorchError
  ) throws(TorchError) -> Int {
    let byteCount = Int(exactly: count) ?? .max
    switch method {
    case .stored:
      guard byteCount == compressed else {
        throw fail { .storedSize(entry: $0, compressed: compressed, byteCount: byteCount) }
      }
    case .deflated:
      // 258 bytes from two bits is the most that deflate can do.
      guard byteCount / 1032 <= compressed else {
        throw fail { .ratio(entry: $0, compressed: compressed, byteCount: byteCount) }
      }
    }
    return byteCount
  }

  /// Replaces 32-bit values that are all ones by those of the zip64 extra field (id 1).
  static func widen(
    _ count: inout UInt64, _ compressed: inout UInt64, _ offset: inout UInt64,
    by extra: ArraySlice<UInt8>, _ failure: () -> TorchError
  ) throws(TorchError) {
    var rest = extra
    while rest.count >= 4 {
      let id = UInt16(rest[rest.startIndex]) | UInt16(rest[rest.startIndex + 1]) << 8
      let size = Int(rest[rest.startIndex + 2]) | Int(rest[rest.startIndex + 3]) << 8
      rest = rest.dropFirst(4)
      guard size <= rest.count else { throw failure() }
      if id == 1 {
        var field = rest.prefix(size)
        func take(_ value: inout UInt64) throws(TorchError) {
          guard value == 0xFFFF_FFFF else { return }
          guard field.count >= 8 else { throw failure() }
          value = field.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
          field = field.dropFirst(8)
        }
        try take(&count)
        try take(&compressed)
        try take(&offset)
      }
      rest = rest.dropFirst(size)
    }
  }

  // MARK: Fields

  func zip64(_ name: String, at place: Int) -> TorchError {
    fail(.zip64("the extra field of \(name) is damaged"), at: place)
  }

  private func fail(_ problem: ZipProblem, at place: Int) -> TorchError {
    TorchError(problem, in: region, at: base + place)
  }

  private mutating func expect(_ signature: UInt32) throws(TorchError) {
    let start = position
    let found = try number(UInt32.self)
    guard found == signature else {
      throw fail(.signature(found: found, expected: signature), at: start)
    }
  }

  private mutating func number<Value: FixedWidthInteger & UnsignedInteger>(
    _: Value.Type
  ) throws(TorchError) -> Value {
    try take(MemoryLayout<Value>.size).reversed().reduce(0) { $0 << 8 | Value($1) }
  }

  private mutating func take(_ count: Int) throws(TorchError) -> ArraySlice<UInt8> {
    guard count <= bytes.count - position else {
      throw fail(.truncated(needed: count, left: bytes.count - position), at: position)
    }
    defer { position += count }
    return bytes[position..<(position + count)]
  }
}
