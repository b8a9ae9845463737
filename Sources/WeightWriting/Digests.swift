package import ByteIO
import Synchronization

/// Counts bytes over all threads, for a progress bar.
package final class WriteProgress: Sendable {
  private let done = Atomic<Int>(0)
  private let total: Int
  private let report: @Sendable (Int, Int) -> Void

  package init(total: Int, report: @escaping @Sendable (Int, Int) -> Void) {
    self.total = total
    self.report = report
  }

  package func advance(_ count: Int) {
    report(done.wrappingAdd(count, ordering: .relaxed).newValue, total)
  }
}

/// Adds `byteCount` bytes that `read` gives to a running digest, a tile at a time.
private func feedTiles(
  _ hash: inout SHA256, byteCount: Int, _ advance: (Int) -> Void = { _ in },
  read: (Int, inout MutableRawSpan) throws -> Void
) throws {
  let tile = 1 << 20
  var bytes = [UInt8](repeating: 0, count: min(tile, byteCount))
  for start in stride(from: 0, to: byteCount, by: tile) {
    try Interruption.check()
    var all = bytes.mutableRawSpan
    var part = all._mutatingExtracting(0..<min(tile, byteCount - start))
    try read(start, &part)
    hash.update(part.bytes)
    advance(part.byteCount)
  }
}

extension ByteRegion {
  /// SHA-256 of all bytes.
  package func digest(_ advance: (Int) -> Void = { _ in }) throws -> Digest {
    var hash = SHA256()
    try feedTiles(&hash, byteCount: byteCount, advance) { try read(at: $0, into: &$1) }
    return hash.finish()
  }

  /// Adds all bytes to a running digest.
  package func feed(_ hash: inout SHA256) throws {
    try feedTiles(&hash, byteCount: byteCount) { try read(at: $0, into: &$1) }
  }

  /// Gives all bytes in order, a tile at a time.
  package func forEachTile(_ body: (RawSpan) throws -> Void) throws {
    let tile = 1 << 20
    var bytes = [UInt8](repeating: 0, count: min(tile, byteCount))
    for start in stride(from: 0, to: byteCount, by: tile) {
      var all = bytes.mutableRawSpan
      var part = all._mutatingExtracting(0..<min(tile, byteCount - start))
      try read(at: start, into: &part)
      try body(part.bytes)
    }
  }

  /// Throws when the region's file changed since it was opened.
  package func requireUnchanged() throws(FileError) {
    if case .file(let file) = storage { try file.requireUnchanged() }
  }
}

/// The last part of a path.
package func baseName(_ path: String) -> String {
  path.split(separator: "/").last.map(String.init) ?? path
}
