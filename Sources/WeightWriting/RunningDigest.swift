package import ByteIO
import Synchronization

/// The digest of a file, taken a piece at a time by whichever thread has nothing better to do.
package final class RunningDigest: Sendable {
  private struct State: ~Copyable {
    var hash = SHA256()
    var position = 0
    var buffer: [UInt8] = []
  }

  package let region: ByteRegion
  private let state = Mutex(State())
  private let hashed = Atomic<Int>(0)

  /// Bytes that are hashed for one call.
  private static let piece = 8 << 20

  package init(_ region: ByteRegion) { self.region = region }

  /// Bytes that are part of the digest so far.
  package var position: Int { hashed.load(ordering: .relaxed) }

  /// Hashes the next piece; zero when another thread is doing so, or nothing is left.
  package func advance() throws -> Int {
    try state.withLockIfAvailable { state in
      let count = min(Self.piece, region.byteCount - state.position)
      guard count > 0 else { return 0 }
      try state.hash.update(region, state.position..<state.position + count, &state.buffer)
      state.position += count
      hashed.store(state.position, ordering: .relaxed)
      return count
    } ?? 0
  }

  /// The digest of all bytes; hashes what is left of them. Nothing may follow.
  package func finish() throws -> Digest {
    while try advance() > 0 {}
    return state.withLock { $0.hash.finish() }
  }
}

extension SHA256 {
  /// Bytes that are read at a time: few enough to be hashed out of the processor's own cache.
  package static let tile = 1 << 18

  /// Adds the bytes `range` of `region`, by way of `buffer`, which is kept from call to call.
  package mutating func update(
    _ region: ByteRegion, _ range: Range<Int>, _ buffer: inout [UInt8]
  ) throws {
    try Interruption.check()
    if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: Self.tile) }
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.tile) {
      let count = min(Self.tile, range.upperBound - start)
      var all = buffer.mutableRawSpan
      var part = all._mutatingExtracting(0..<count)
      try region.read(at: start, into: &part)
      update(part.bytes)
    }
  }
}
