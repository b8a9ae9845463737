import Tensors
import WeightWriting

extension Manifest.Part {
  /// What `source` contributes to a tensor of `shape`, from the one that `record` describes.
  init(_ source: RowSource, _ record: TensorRecord, shape: [Int]) {
    let length = shape.dropFirst().reduce(1, &*)
    let count = max(1, record.rowCount(length: length) ?? record.shape.first ?? 1)
    let rowBytes = record.byteCount / count
    // Reordered rows, and rows that share bytes, have no one span of their own.
    let hasSpan = source.order == .stored && record.byteCount % count == 0
    self.init(
      tensor: record.name, rows: source.rows, file: baseName(record.file),
      offset: hasSpan ? record.offset.map { $0 + source.rows.lowerBound * rowBytes } : nil,
      byteCount: source.rows.count * rowBytes, type: record.encoding ?? record.type.description)
  }
}
