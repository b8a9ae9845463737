package import ByteIO
package import ModelGraph
package import Tensors

/// A weight file being written, tensor after tensor.
package protocol TensorSink: ~Copyable {
  mutating func write(_ bytes: RawSpan) throws(FileError)
  mutating func copy(_ region: ByteRegion) throws(FileError)
}

/// Carries out recipes a few rows at a time, and appends the results to a weight file.
package struct TensorStream {
  private let reader: RecipeReader
  private let allowOverflow: Bool
  /// Counts bytes that are written.
  package let advance: (Int) -> Void

  /// - Parameters:
  ///   - total: Bytes of all tensors.
  ///   - progress: Called with the bytes written so far, and `total`.
  package init(
    reader: RecipeReader, allowOverflow: Bool, total: Int,
    _ progress: @escaping (Int, Int) -> Void
  ) {
    self.reader = reader
    self.allowOverflow = allowOverflow
    var done = 0
    advance = {
      done += $0
      progress(done, total)
    }
  }

  /// Appends the tensor that `parameter` describes, stored as `type`.
  ///
  /// - Throws: `ConversionError` when values overflow and that is not allowed.
  package func append(
    _ parameter: Parameter, as type: StorageType, to sink: inout some TensorSink & ~Copyable
  ) throws {
    var overflow = Overflow.zero
    for span in try parameter.spans(as: type, reader: reader) {
      switch span.content {
      case .copy(let region): try sink.copy(region)
      case .rows(let rows):
        var bytes = [UInt8](repeating: 0, count: span.range.count)
        overflow += try parameter.compute(as: type, rows: rows, reader: reader, into: &bytes)
        try sink.write(bytes.rawSpan)
      }
      advance(span.range.count)
    }
    guard overflow.count == 0 || allowOverflow else {
      throw ConversionError(.overflow(overflow, type), tensor: parameter.name.string)
    }
  }
}
