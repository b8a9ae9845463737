import ByteIO
import Synchronization

/// Counts bytes over all threads, for a progress bar.
final class WriteProgress: Sendable {
  private let done = Atomic<Int>(0)
  private let total: Int
  private let report: @Sendable (Int, Int) -> Void

  init(total: Int, report: @escaping @Sendable (Int, Int) -> Void) {
    self.total = total
    self.report = report
  }

  func advance(_ count: Int) {
    report(done.wrappingAdd(count, ordering: .relaxed).newValue, total)
  }
}

/// SHA-256 of `byteCount` bytes that `read` gives, a tile at a time.
private func digest(
  byteCount: Int, _ advance: (Int) -> Void,
  read: (Int, inout MutableRawSpan) throws -> Void
) throws -> Digest {
  let tile = 1 << 20
  var hash = SHA256()
  var bytes = [UInt8](repeating: 0, count: min(tile, byteCount))
  for start in stride(from: 0, to: byteCount, by: tile) {
    try Interruption.check()
    var all = bytes.mutableRawSpan
    var part = all._mutatingExtracting(0..<min(tile, byteCount - start))
    try read(start, &part)
    hash.update(part.bytes)
    advance(part.byteCount)
  }
  return hash.finish()
}

extension ByteRegion {
  func digest(_ advance: (Int) -> Void = { _ in }) throws -> Digest {
    try RecurrentPackage.digest(byteCount: byteCount, advance) { try read(at: $0, into: &$1) }
  }

  /// Throws when the region's file changed since it was opened.
  func requireUnchanged() throws(FileError) {
    if case .file(let file) = storage { try file.requireUnchanged() }
  }
}

extension PositionedOutput {
  /// SHA-256 of what was written.
  func digest(_ advance: (Int) -> Void) throws -> Digest {
    try RecurrentPackage.digest(byteCount: byteCount, advance) { try read(at: $0, into: &$1) }
  }
}

/// The last part of a path.
func baseName(_ path: String) -> String {
  path.split(separator: "/").last.map(String.init) ?? path
}
