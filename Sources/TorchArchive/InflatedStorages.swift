import ByteIO
import Synchronization

/// Positional reads of deflated storages.
///
/// A small storage is kept whole after its first use, one at a time. A large one is decoded from its
/// start on, and goes on from where the last read ended, so that reading in order costs one pass.
final class InflatedStorages: Sendable {
  /// Largest storage that is kept whole, in bytes.
  static let wholeLimit = 16 << 20

  private struct State: ~Copyable {
    var whole: (header: Int, bytes: [UInt8])?
    var stream: InflatingStream?
  }

  private let region: ByteRegion
  private let state = Mutex(State())

  init(_ region: ByteRegion) { self.region = region }

  /// Fills `bytes` from `position` of the entry's own bytes on.
  func read(
    _ entry: ZipEntry, at position: Int, into bytes: inout MutableRawSpan
  ) throws(TorchError) {
    if entry.byteCount <= Self.wholeLimit {
      let whole = try whole(entry)
      do {
        try ByteRegion(whole, path: region.path).read(at: position, into: &bytes)
      } catch {
        throw TorchError(.file(error), path: region.path)
      }
    } else {
      let part = try streamed(entry, position..<(position + bytes.byteCount))
      do {
        try ByteRegion(part, path: region.path).read(at: 0, into: &bytes)
      } catch {
        throw TorchError(.file(error), path: region.path)
      }
    }
  }

  private func whole(_ entry: ZipEntry) throws(TorchError) -> [UInt8] {
    try state.withLock { (state) throws(TorchError) in
      if let whole = state.whole, whole.header == entry.headerOffset { return whole.bytes }
      let bytes = try entry.contents(in: region, limit: Self.wholeLimit)
      state.whole = (entry.headerOffset, bytes)
      return bytes
    }
  }

  private func streamed(_ entry: ZipEntry, _ range: Range<Int>) throws(TorchError) -> [UInt8] {
    try state.withLock { (state) throws(TorchError) in
      var stream = InflatingStream(entry, in: region)
      if let last = state.stream.take(), last.entry == entry, last.position <= range.lowerBound {
        stream = last
      }
      try stream.skip(range.lowerBound - stream.position)
      var bytes = [UInt8](repeating: 0, count: range.count)
      var raw = bytes.mutableRawSpan
      try stream.read(into: &raw)
      state.stream = consume stream
      return bytes
    }
  }
}
