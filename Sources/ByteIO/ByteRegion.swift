/// A run of readable bytes: a file, a part of one, or memory.
///
/// Readers take a region, not a path, so that a weight file inside a package archive is read in
/// place, and a test or a fuzzer reads from memory.
package struct ByteRegion: Sendable {
  package enum Storage: Sendable {
    case file(OpenFile)
    case memory([UInt8])
  }

  package let storage: Storage
  /// Name for messages: the file's path.
  package let path: String
  /// Position of the first byte in the file or array.
  package let start: Int
  package let byteCount: Int

  /// The whole of a file.
  package init(_ file: OpenFile) {
    storage = .file(file)
    path = file.path
    start = 0
    byteCount = file.byteCount
  }

  /// Opens the file at `path` for reading.
  package init(path: String) throws(FileError) { self.init(try OpenFile(path)) }

  /// Bytes in memory, called `path` in messages.
  package init(_ bytes: [UInt8], path: String = "memory") {
    storage = .memory(bytes)
    self.path = path
    start = 0
    byteCount = bytes.count
  }

  private init(_ storage: Storage, path: String, start: Int, byteCount: Int) {
    self.storage = storage
    self.path = path
    self.start = start
    self.byteCount = byteCount
  }

  /// The part `range` of this region, or nil when it does not lie within.
  package func subregion(_ range: Range<Int>, path: String? = nil) -> ByteRegion? {
    guard range.lowerBound >= 0, range.upperBound <= byteCount else { return nil }
    return ByteRegion(
      storage, path: path ?? self.path, start: start + range.lowerBound, byteCount: range.count)
  }

  /// Fills `bytes` from position `offset` of the region.
  package func read(at offset: Int, into bytes: inout MutableRawSpan) throws(FileError) {
    let count = bytes.byteCount
    guard offset >= 0, count <= byteCount, offset <= byteCount - count else {
      throw FileError(path, .shortRead(wanted: count, got: max(0, byteCount - offset)), at: offset)
    }
    switch storage {
    case .file(let file):
      try file.read(at: start + offset, into: &bytes)
    case .memory(let array):
      unsafe bytes.withUnsafeMutableBytes { target in
        unsafe array.withUnsafeBytes { source in
          let part = unsafe UnsafeRawBufferPointer(
            rebasing: source[(start + offset)..<(start + offset + count)])
          unsafe target.copyMemory(from: part)
        }
      }
    }
  }

  /// The bytes of `range`, copied. Check the length against `byteCount` before asking.
  package func bytes(_ range: Range<Int>) throws(FileError) -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= byteCount else {
      let got = max(0, byteCount - range.lowerBound)
      throw FileError(path, .shortRead(wanted: range.count, got: got), at: range.lowerBound)
    }
    var array = [UInt8](repeating: 0, count: range.count)
    var raw = array.mutableRawSpan
    try read(at: range.lowerBound, into: &raw)
    return array
  }

  /// All bytes, copied; refuses a region larger than `limit`.
  package func contents(limit: Int) throws(FileError) -> [UInt8] {
    guard byteCount <= limit else {
      throw FileError(path, .tooLarge(byteCount: byteCount, limit: limit))
    }
    return try bytes(0..<byteCount)
  }

  /// Calls `body` with all bytes in their order, a tile of at most 1 MiB at a time.
  package func forEachTile(_ body: (RawSpan) throws(FileError) -> Void) throws(FileError) {
    let tile = 1 << 20
    var buffer = [UInt8](repeating: 0, count: min(tile, byteCount))
    var done = 0
    while done < byteCount {
      let count = min(tile, byteCount - done)
      if buffer.count != count { buffer.removeLast(buffer.count - count) }
      var bytes = buffer.mutableRawSpan
      try read(at: done, into: &bytes)
      try body(buffer.rawSpan)
      done += count
    }
  }
}
