import ByteIO

/// The members of an uncompressed tar archive, in place: each is a region of the archive.
///
/// Only what a package can be made of is read (`formats/recurrent-package.md`, RP-20 to RP-28).
struct TarArchive {
  /// In the order of the archive; the first is the manifest.
  let members: [(name: String, region: ByteRegion)]

  /// Most members that are read.
  static let memberLimit = 100_000

  init(_ region: ByteRegion, memberLimit: Int = Self.memberLimit) throws {
    var cursor = TarCursor(region)
    var members: [(name: String, region: ByteRegion)] = []
    while let member = try cursor.next() {
      guard members.count < memberLimit else {
        throw cursor.error(.tooManyMembers(limit: memberLimit))
      }
      if members.isEmpty, member.name != Manifest.name {
        throw PackageError(.archive(.manifestNotFirst(member.name)), path: region.path, at: 0)
      }
      members.append(member)
    }
    guard !members.isEmpty else { throw PackageError(.noManifest, path: region.path) }
    try PackagePath.check(members.map(\.name), in: region.path)
    self.members = members
  }

  /// Throws what is wrong with bytes that do not begin as a tar archive.
  static func requireStart(_ bytes: [UInt8], path: String) throws {
    if bytes.count >= 262, bytes[257..<262].elementsEqual("ustar".utf8) { return }
    _ = try TarArchive(ByteRegion(bytes, path: path))
  }

  /// Whether a file starts as an archive of ours does.
  static func isArchive(_ region: ByteRegion) throws(FileError) -> Bool {
    guard region.byteCount >= 512 else { return false }
    let start = try region.bytes(0..<512)
    return start[257..<262].elementsEqual("ustar".utf8)
      && start[0..<100].elementsEqual(
        Array(Manifest.name.utf8) + [UInt8](repeating: 0, count: 100 - Manifest.name.utf8.count))
  }
}

/// Steps from header to header.
private struct TarCursor {
  let region: ByteRegion
  private var position = 0

  init(_ region: ByteRegion) { self.region = region }

  func error(_ problem: TarProblem) -> PackageError {
    PackageError(.archive(problem), path: region.path, at: position)
  }

  /// The next member; nil at the archive's proper end.
  mutating func next() throws -> (name: String, region: ByteRegion)? {
    guard var header = try header() else { return nil }
    if header.type == TarHeader.extended {
      let records = try extended(header)
      guard let own = try self.header(), own.type == TarHeader.file else {
        throw error(.malformedExtension("no member follows it"))
      }
      header = own
      if let path = records["path"] {
        guard own.name == path || path.utf8.count > 100 else {
          throw error(.extensionDisagrees("path"))
        }
        header.name = path
      }
      if let text = records["size"] {
        guard let size = Int(text), size >= 0 else {
          throw error(.malformedExtension("size is no number"))
        }
        guard own.byteCount == size || (own.byteCount == 0 && size >= TarHeader.octalLimit) else {
          throw error(.extensionDisagrees("size"))
        }
        header.byteCount = size
      }
    }
    return (header.name, try content(header.byteCount))
  }

  /// The header here; nil at two blocks of zeros with nothing but zeros after.
  private mutating func header() throws -> TarHeader? {
    guard region.byteCount - position >= TarHeader.block else {
      let left = region.byteCount - position
      throw error(left == 0 ? .malformedEnd : .truncated(needed: TarHeader.block, left: left))
    }
    let block = try region.bytes(position..<position + TarHeader.block)
    if block.allSatisfy({ $0 == 0 }) {
      try checkEnd()
      return nil
    }
    do throws(TarFailure) {
      let header = try TarHeader(block)
      position += TarHeader.block
      return header
    } catch {
      throw self.error(error.problem)
    }
  }

  /// Archives are padded to a record of 10 KiB at most, or a little more; no message hides there.
  private func checkEnd() throws {
    let rest = region.byteCount - position
    guard rest >= 2 * TarHeader.block, rest <= 1 << 16,
      try region.bytes(position..<region.byteCount).allSatisfy({ $0 == 0 })
    else { throw error(.malformedEnd) }
  }

  private mutating func content(_ byteCount: Int) throws -> ByteRegion {
    let left = region.byteCount - position
    guard byteCount <= left else { throw error(.truncated(needed: byteCount, left: left)) }
    let padded = byteCount + TarHeader.padding(byteCount)
    guard padded <= left, let content = region.subregion(position..<position + byteCount) else {
      throw error(.truncated(needed: padded, left: left))
    }
    position += padded
    return content
  }

  /// The records of an extended header. Times and owners say nothing here; anything else unknown
  /// might change what the member is.
  private mutating func extended(_ header: TarHeader) throws -> [String: String] {
    guard header.byteCount <= 1 << 16 else {
      throw error(.malformedExtension("\(header.byteCount) bytes long"))
    }
    let bytes = try content(header.byteCount).contents(limit: 1 << 16)
    let harmless: Set = ["atime", "comment", "ctime", "gid", "gname", "mtime", "uid", "uname"]
    var records: [String: String] = [:]
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let space = rest.firstIndex(of: 0x20),
        let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
        length > space - rest.startIndex + 1, length <= rest.count,
        rest[rest.startIndex + length - 1] == 0x0A,
        let text = String(
          validating: rest[(space + 1)..<(rest.startIndex + length - 1)], as: UTF8.self),
        let equals = text.firstIndex(of: "=")
      else { throw error(.malformedExtension("a record is malformed")) }
      let key = String(text[..<equals])
      if !harmless.contains(key) {
        guard key == "path" || key == "size" else {
          throw error(.malformedExtension("the key \(key) is not known"))
        }
        guard records.updateValue(String(text[text.index(after: equals)...]), forKey: key) == nil
        else { throw error(.malformedExtension("\(key) stands twice")) }
      }
      rest = rest.dropFirst(length)
    }
    return records
  }
}
