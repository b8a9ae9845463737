import ByteIO

/// Reads pickles and numbers that follow one another in a file, with no lengths before them.
struct PickleSequence {
  let region: ByteRegion
  private(set) var position: Int
  private let nodeLimit: Int
  /// How much is fetched at first; a pickle that does not fit is tried again with four times more.
  private static let firstWindow = 1 << 16

  init(_ region: ByteRegion, at position: Int = 0, nodeLimit: Int) {
    self.region = region
    self.position = position
    self.nodeLimit = nodeLimit
  }

  var remaining: Int { region.byteCount - position }

  /// The next pickle.
  mutating func pickle() throws(TorchError) -> PickleGraph {
    var window = Self.firstWindow
    while true {
      let count = min(window, remaining)
      let bytes = try region.torchBytes(position..<(position + count))
      do throws(TorchError) {
        let (graph, length) = try PickleMachine.run(
          bytes, base: region.start + position, path: region.path, nodeLimit: nodeLimit)
        position += length
        return graph
      } catch {
        guard case .pickle(.truncated) = error.problem, count < remaining else { throw error }
        guard window < TorchContents.pickleLimit else {
          throw TorchError(
            .pickle(.tooLarge(byteCount: remaining, limit: window)), path: region.path,
            at: region.start + position)
        }
        window *= 4
      }
    }
  }

  /// The next little-endian number; nil when fewer bytes remain.
  mutating func number<Value: FixedWidthInteger>(_: Value.Type) throws(TorchError) -> Value? {
    let size = MemoryLayout<Value>.size
    guard remaining >= size else { return nil }
    let bytes = try region.torchBytes(position..<(position + size))
    position += size
    return bytes.reversed().reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
  }

  /// The next `count` bytes, not read; nil when fewer remain.
  mutating func span(_ count: Int) -> ByteRegion? {
    guard count >= 0, count <= remaining else { return nil }
    defer { position += count }
    return region.subregion(position..<(position + count))
  }
}
