import Synchronization
import Tensors

/// The rows of weights that were decoded last.
///
/// Where the rows of a weight lie side by side in the file, a few of them take as many reads as a
/// hundred: they are decoded by the hundred, and kept for who wants the next few. Any number of
/// threads may ask; two that want the same rows at the same time may both decode them.
final class TileCache: Sendable {
  private struct Tile {
    var name: TensorName
    var index: Int
    var values: [Float]
  }

  private let tiles = Mutex<[Tile]>([])
  /// One for each of two threads, and the one that a thread just leaves.
  private static let kept = 3

  /// Tile `index` of the weight `name`: as it was kept, or as `decode` gives it.
  func tile(
    _ name: TensorName, _ index: Int, decode: () throws -> [Float]
  ) throws -> [Float] {
    let found = tiles.withLock { tiles in
      tiles.first { $0.index == index && $0.name == name }?.values
    }
    if let found { return found }
    let values = try decode()
    tiles.withLock { tiles in
      if tiles.count >= Self.kept { tiles.removeFirst() }
      tiles.append(Tile(name: name, index: index, values: values))
    }
    return values
  }
}
