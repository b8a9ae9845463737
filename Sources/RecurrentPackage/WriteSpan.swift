import ByteIO
import ModelGraph
import Recurrence
import Tensors

/// A stretch of a weight file that one thread writes in one go.
struct WriteSpan: Sendable {
  enum Content: Sendable {
    /// Bytes of a source file, as they are.
    case copy(ByteRegion)
    /// Rows that a recipe computes.
    case rows(Range<Int>)
  }

  /// Index of its tensor in the file.
  var entry: Int
  /// Position in the file.
  var range: Range<Int>
  var content: Content

  /// Bytes that are copied inside the kernel at a time: it has something to do, and the pages are
  /// still warm when they are hashed.
  static let copied = 8 << 20
  /// Bytes that are computed at a time, and held in memory.
  static let computed = 1 << 20
}

extension Parameter {
  /// The spans that make up this tensor, which lies at `range` of its file; none when it is empty.
  func spans(_ entry: Int, at range: Range<Int>, reader: RecipeReader) throws -> [WriteSpan] {
    if let regions = try reader.regions(recipe, shape: shape, type: type) {
      return copies(regions, entry, from: range.lowerBound)
    }
    let count = shape.first ?? 1
    guard count > 0, byteCount > 0 else { return [] }
    let rowBytes = max(1, byteCount / count)
    // A multiple of eight rows fills whole bytes in every type.
    let step = max(8, WriteSpan.computed / rowBytes & ~7)
    var spans: [WriteSpan] = []
    var start = range.lowerBound
    for first in stride(from: 0, to: count, by: step) {
      let rows = first..<min(count, first + step)
      let size = rows.count * byteCount / count
      spans.append(WriteSpan(entry: entry, range: start..<start + size, content: .rows(rows)))
      start += size
    }
    return spans
  }

  private func copies(_ regions: [ByteRegion], _ entry: Int, from start: Int) -> [WriteSpan] {
    var spans: [WriteSpan] = []
    var position = start
    for region in regions {
      for first in stride(from: 0, to: region.byteCount, by: WriteSpan.copied) {
        let count = min(WriteSpan.copied, region.byteCount - first)
        guard let part = region.subregion(first..<first + count) else { continue }
        spans.append(
          WriteSpan(entry: entry, range: position..<position + count, content: .copy(part)))
        position += count
      }
    }
    return spans
  }
}
