import ByteIO
import GGUF
import ModelGraph
import Tensors

/// A weight file being written, tensor after tensor.
protocol TensorSink: ~Copyable {
  mutating func write(_ bytes: RawSpan) throws(FileError)
  mutating func copy(_ region: ByteRegion) throws(FileError)
}

extension GGUFWriter: TensorSink {}

/// Carries out recipes a few rows at a time, and appends the results to a weight file.
struct TensorStream {
  let reader: RecipeReader
  let allowOverflow: Bool
  /// Counts bytes that are written.
  let advance: (Int) -> Void

  /// Bytes that are copied at a time.
  private static let copied = 8 << 20
  /// Elements that are computed at a time.
  private static let tile = 1 << 18

  /// - Parameters:
  ///   - total: Bytes of all tensors.
  ///   - progress: Called with the bytes written so far, and `total`.
  init(
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
  func append(
    _ parameter: Parameter, as type: StorageType, to sink: inout some TensorSink & ~Copyable
  ) throws {
    if case .element(let element) = type,
      let regions = try reader.regions(parameter.recipe, shape: parameter.shape, type: element)
    {
      for region in regions { try copy(region, to: &sink) }
      return
    }
    let shape = parameter.shape
    let rowLength = shape.dropFirst().reduce(1, &*)
    let count = shape.first ?? 1
    // A multiple of eight rows fills whole bytes in every type.
    let step = max(8, Self.tile / max(1, rowLength) & ~7)
    var overflow = Overflow.zero
    for first in stride(from: 0, to: count, by: step) {
      let rows = first..<min(count, first + step)
      guard let size = type.byteCount(elements: rows.count * rowLength) else {
        throw RecipeError(.partialBytes(type), tensor: parameter.name)
      }
      var bytes = [UInt8](repeating: 0, count: size)
      overflow += try compute(parameter, as: type, rows: rows, rowLength, into: &bytes)
      try sink.write(bytes.rawSpan)
      advance(size)
    }
    guard overflow.count == 0 || allowOverflow else {
      throw ConversionError(.overflow(overflow, type), tensor: parameter.name.string)
    }
  }

  private func copy(
    _ region: ByteRegion, to sink: inout some TensorSink & ~Copyable
  ) throws {
    for start in stride(from: 0, to: region.byteCount, by: Self.copied) {
      let count = min(Self.copied, region.byteCount - start)
      guard let part = region.subregion(start..<start + count) else { continue }
      try sink.copy(part)
      advance(count)
    }
  }

  private func compute(
    _ parameter: Parameter, as type: StorageType, rows: Range<Int>, _ rowLength: Int,
    into bytes: inout [UInt8]
  ) throws -> Overflow {
    let shape = parameter.shape
    var raw = bytes.mutableRawSpan
    switch type {
    case .element(let element):
      return try reader.read(parameter.recipe, shape: shape, type: element, rows: rows, into: &raw)
    case .block(.q80):
      let count = rows.count * rowLength
      var values = [Float](repeating: 0, count: count)
      var span = values.mutableSpan
      try reader.readFloats(parameter.recipe, shape: shape, rows: rows, into: &span)
      return quantiseQ80(values.span, into: &raw)
    case .block: throw GGUFError(.noStorage(type), tensor: parameter.name)
    }
  }
}
