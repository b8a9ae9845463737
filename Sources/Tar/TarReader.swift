package import ByteIO

/// Steps through the members of an uncompressed tar archive, in place: each is a region of the
/// archive.
///
/// Only regular files are read, of ustar or GNU headers, with the extended records of names and
/// sizes (`formats/recurrent-package.md`, RP-20 to RP-28).
package struct TarReader {
  private let region: ByteRegion
  /// Where the next header lies.
  package private(set) var position = 0

  package init(_ region: ByteRegion) { self.region = region }

  private func error(_ problem: TarProblem) -> TarError {
    TarError(cause: .format(problem), position: position)
  }

  private func bytes(_ range: Range<Int>) throws(TarError) -> [UInt8] {
    do { return try region.bytes(range) } catch {
      throw TarError(cause: .file(error), position: position)
    }
  }

  /// The next member; nil at the archive's proper end.
  package mutating func next() throws(TarError) -> (name: String, region: ByteRegion)? {
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
          throw error(.malformedExtension("size is not a number"))
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
  private mutating func header() throws(TarError) -> TarHeader? {
    guard region.byteCount - position >= TarHeader.block else {
      let left = region.byteCount - position
      throw error(left == 0 ? .malformedEnd : .truncated(needed: TarHeader.block, left: left))
    }
    let block = try bytes(position..<position + TarHeader.block)
    if block.allSatisfy({ $0 == 0 }) {
      try checkEnd()
      return nil
    }
    do throws(TarProblem) {
      let header = try TarHeader(block)
      position += TarHeader.block
      return header
    } catch {
      throw self.error(error)
    }
  }

  /// Archives are padded to a record of 10 KiB at most, or a little more; no message hides there.
  private func checkEnd() throws(TarError) {
    let rest = region.byteCount - position
    guard rest >= 2 * TarHeader.block, rest <= 1 << 16,
      try bytes(position..<region.byteCount).allSatisfy({ $0 == 0 })
    else { throw error(.malformedEnd) }
  }

  private mutating func content(_ byteCount: Int) throws(TarError) -> ByteRegion {
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
  private mutating func extended(_ header: TarHeader) throws(TarError) -> [String: String] {
    guard header.byteCount <= 1 << 16 else {
      throw error(.malformedExtension("\(header.byteCount) bytes long"))
    }
    let start = position
    _ = try content(header.byteCount)
    let bytes = try bytes(start..<start + header.byteCount)
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
