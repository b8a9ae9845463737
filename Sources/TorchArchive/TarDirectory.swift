import ByteIO

/// The members of a small ustar archive by name: regular files with plain names, nothing else.
struct TarDirectory {
  private static let block = 512
  private static let memberLimit = 64
  private var members: [String: ByteRegion] = [:]

  init(_ region: ByteRegion) throws(TorchError) {
    var position = 0
    func fail(_ what: String) -> TorchError { TorchError(.tar(what), in: region, at: position) }
    while position <= region.byteCount - Self.block {
      let header = try region.torchBytes(position..<(position + Self.block))
      if header.allSatisfy({ $0 == 0 }) { return }
      guard Self.octal(header[148..<156]) == Self.checksum(header) else {
        throw fail("a header's checksum is wrong")
      }
      let name = String(decoding: header[..<100].prefix { $0 != 0 }, as: UTF8.self)
      guard let size = Self.octal(header[124..<136]),
        size <= region.byteCount - position - Self.block
      else { throw fail("the member \(name) is longer than the file") }
      guard [0, UInt8(ascii: "0")].contains(header[156]) else {
        throw fail("the member \(name) is no regular file")
      }
      guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), name != ".." else {
        throw fail("the member \(name) lies in a folder")
      }
      let start = position + Self.block
      guard members.count < Self.memberLimit, members[name] == nil else {
        throw fail("the member \(name) is there twice, or one too many")
      }
      members[name] = region.subregion(start..<(start + size))
      position = start + (size + Self.block - 1) / Self.block * Self.block
    }
    throw fail("the end of the archive is missing")
  }

  subscript(name: String) -> ByteRegion? { members[name] }

  /// Octal digits, with spaces or zero bytes around.
  private static func octal(_ field: ArraySlice<UInt8>) -> Int? {
    let isPadding: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0 }
    let digits = field.drop(while: isPadding).prefix { !isPadding($0) }
    return Int(String(decoding: digits, as: UTF8.self), radix: 8)
  }

  /// The sum of the header's bytes, the checksum's own taken as spaces.
  private static func checksum(_ header: [UInt8]) -> Int {
    header.enumerated().reduce(0) {
      $0 + Int((148..<156).contains($1.offset) ? 0x20 : $1.element)
    }
  }
}
