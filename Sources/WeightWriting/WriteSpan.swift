import ByteIO
import GGUF
import ModelGraph
import Tensors

/// A stretch of a tensor that is written in one go.
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
  /// The spans that make up this tensor, stored as `type` from position `start` of its file on; none
  /// when it is empty.
  func spans(
    as type: StorageType, entry: Int = 0, from start: Int = 0, reader: RecipeReader
  ) throws -> [WriteSpan] {
    if case .element(let element) = type,
      let regions = try reader.regions(recipe, shape: shape, type: element)
    {
      return copies(regions, entry, from: start)
    }
    let count = shape.first ?? 1
    guard let byteCount = type.byteCount(elements: elementCount) else {
      throw RecipeError(.partialBytes(type), tensor: name)
    }
    guard count > 0, byteCount > 0 else { return [] }
    let rowBytes = max(1, byteCount / count)
    // A multiple of eight rows fills whole bytes in every type.
    let step = max(8, WriteSpan.computed / rowBytes & ~7)
    var spans: [WriteSpan] = []
    var position = start
    for first in stride(from: 0, to: count, by: step) {
      let rows = first..<min(count, first + step)
      let size = rows.count * byteCount / count
      spans.append(
        WriteSpan(entry: entry, range: position..<position + size, content: .rows(rows)))
      position += size
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

  /// Computes `rows` as they are stored in `type`, into `bytes`.
  func compute(
    as type: StorageType, rows: Range<Int>, reader: RecipeReader, into bytes: inout [UInt8]
  ) throws -> Overflow {
    var raw = bytes.mutableRawSpan
    switch type {
    case .element(let element):
      return try reader.read(recipe, shape: shape, type: element, rows: rows, into: &raw)
    case .block(.q80):
      let rowLength = shape.dropFirst().reduce(1, &*)
      var values = [Float](repeating: 0, count: rows.count * rowLength)
      var span = values.mutableSpan
      try reader.readFloats(recipe, shape: shape, rows: rows, into: &span)
      return quantiseQ80(values.span, into: &raw)
    case .block: throw GGUFError(.noStorage(type), tensor: name)
    }
  }
}
