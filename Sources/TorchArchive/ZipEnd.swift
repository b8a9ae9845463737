import ByteIO

/// The records at the end of a zip archive: where the central directory lies, and its length.
struct ZipEnd {
  private static let signature: UInt32 = 0x0605_4B50
  private static let locatorSignature: UInt32 = 0x0706_4B50
  private static let recordSignature: UInt32 = 0x0606_4B50
  private static let byteCount = 22
  private static let locatorByteCount = 20

  /// Where the central directory lies.
  private(set) var directory = 0..<0
  private(set) var entryCount: UInt64 = 0
  /// The sizes and positions as stated; 32-bit fields that are all ones defer to zip64.
  private var directoryByteCount: UInt64 = 0
  private var directoryOffset: UInt64 = 0

  init(_ region: ByteRegion) throws(TorchError) {
    let position = region.byteCount - Self.byteCount
    guard position >= 0 else { throw TorchError(.noEndRecord, in: region) }
    let bytes = try region.torchBytes(position..<region.byteCount)
    guard Self.number(bytes, at: 0, UInt32.self) == Self.signature, bytes[20] == 0, bytes[21] == 0
    else { throw try Self.misplaced(region) }
    try readEnd(bytes, region, at: position)
    let directoryEnd = try readZip64(region, before: position) ?? position
    guard let offset = Int(exactly: directoryOffset), let count = Int(exactly: directoryByteCount),
      case (let end, false) = offset.addingReportingOverflow(count), end == directoryEnd
    else {
      throw TorchError(
        .directorySpan(offset: directoryOffset, byteCount: directoryByteCount, end: directoryEnd),
        in: region, at: position)
    }
    directory = offset..<end
  }

  /// Whether the bytes end as a zip archive does.
  static func isPresent(in region: ByteRegion) throws(TorchError) -> Bool {
    let position = region.byteCount - byteCount
    guard position >= 0 else { return false }
    let bytes = try region.torchBytes(position..<region.byteCount)
    return number(bytes, at: 0, UInt32.self) == signature
  }

  private mutating func readEnd(
    _ bytes: [UInt8], _ region: ByteRegion, at position: Int
  ) throws(TorchError) {
    let disks = [4, 6].map { Self.number(bytes, at: $0, UInt16.self) }
    let here = Self.number(bytes, at: 8, UInt16.self)
    let total = Self.number(bytes, at: 10, UInt16.self)
    guard disks.allSatisfy({ $0 == 0 || $0 == .max }), here == total else {
      throw TorchError(.multiDisk, in: region, at: position)
    }
    entryCount = UInt64(total)
    directoryByteCount = UInt64(Self.number(bytes, at: 12, UInt32.self))
    directoryOffset = UInt64(Self.number(bytes, at: 16, UInt32.self))
  }

  /// Takes the 64-bit values when there are any, and gives the position of their record.
  private mutating func readZip64(
    _ region: ByteRegion, before end: Int
  ) throws(TorchError) -> Int? {
    let position = end - Self.locatorByteCount
    guard position >= 0 else { return nil }
    let locator = try region.torchBytes(position..<end)
    guard Self.number(locator, at: 0, UInt32.self) == Self.locatorSignature else { return nil }
    func fail(_ what: String, at place: Int) -> TorchError {
      TorchError(.zip64(what), in: region, at: place)
    }
    let stated = Self.number(locator, at: 8, UInt64.self)
    guard let start = Int(exactly: stated), start >= 0, start <= position - 56 else {
      throw fail("the locator names byte \(stated)", at: position)
    }
    let record = try region.torchBytes(start..<(start + 56))
    guard Self.number(record, at: 0, UInt32.self) == Self.recordSignature else {
      throw fail("there is no record where the locator says", at: start)
    }
    let size = Self.number(record, at: 4, UInt64.self)
    guard size == UInt64(position - start - 12) else {
      throw fail("the record's size is \(size)", at: start)
    }
    guard [16, 20].allSatisfy({ Self.number(record, at: $0, UInt32.self) == 0 }),
      Self.number(record, at: 24, UInt64.self) == Self.number(record, at: 32, UInt64.self)
    else { throw TorchError(.multiDisk, in: region, at: start) }
    let counts = [32, 40, 48].map { Self.number(record, at: $0, UInt64.self) }
    let short = [entryCount, directoryByteCount, directoryOffset]
    let absent: [UInt64] = [0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF]
    for i in 0..<3 where short[i] != absent[i] && short[i] != counts[i] {
      throw fail("the end record says \(short[i]) where zip64 says \(counts[i])", at: start)
    }
    (entryCount, directoryByteCount, directoryOffset) = (counts[0], counts[1], counts[2])
    return start
  }

  /// Says why there is no end record at the very end.
  private static func misplaced(_ region: ByteRegion) throws(TorchError) -> TorchError {
    let start = max(0, region.byteCount - byteCount - Int(UInt16.max))
    let tail = try region.torchBytes(start..<region.byteCount)
    for position in (0...(tail.count - byteCount)).reversed()
    where number(tail, at: position, UInt32.self) == signature {
      let after = tail.count - position - byteCount
      let comment = Int(number(tail, at: position + 20, UInt16.self))
      return comment == after && after > 0
        ? TorchError(.comment(byteCount: comment), in: region, at: start + position)
        : TorchError(.trailingBytes(after), in: region, at: start + position + byteCount)
    }
    return TorchError(.noEndRecord, in: region)
  }

  private static func number<Value: FixedWidthInteger & UnsignedInteger>(
    _ bytes: [UInt8], at offset: Int, _: Value.Type
  ) -> Value {
    bytes[offset..<(offset + MemoryLayout<Value>.size)].reversed().reduce(0) {
      $0 << 8 | Value($1)
    }
  }
}
