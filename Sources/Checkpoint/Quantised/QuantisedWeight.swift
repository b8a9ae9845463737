import ByteIO
import Tensors

/// Turns codes into values, any rows at a time.
protocol WeightDecoder: Sendable {
  /// Rows that are best decoded together, because they lie side by side in the file.
  var together: Int { get }

  /// Fills `values` with the rows `rows` of the weight before they are rounded to its type. Rows run
  /// along the last dimension, and are counted over all dimensions before it.
  func decode(
    _ rows: Range<Int>, from stored: StoredTensors, into values: inout MutableSpan<Float>) throws
}

extension WeightDecoder {
  var together: Int { 1 }
}

/// A weight that is stored as codes, with scales and what else gives them their meaning.
struct QuantisedWeight: Sendable {
  /// The weight as everybody else sees it: its values, in a floating-point type.
  let record: TensorRecord
  let type: ElementType
  /// The stored tensor in whose place it appears.
  let codes: TensorName
  /// All stored tensors that it is made of.
  let operands: [TensorName]
  let decoder: any WeightDecoder

  /// Elements that are decoded at a time.
  private static let tile = 1 << 16

  /// - Parameters:
  ///   - type: Type of the values: F32, F16 or BF16.
  ///   - encoding: The kind of codes, in words.
  init(
    _ name: TensorName, shape: [Int], type: ElementType, codes: TensorRecord,
    operands: [TensorName], encoding: String, decoder: any WeightDecoder, path: String
  ) throws(QuantisationError) {
    guard let count = elementCount(of: shape),
      let byteCount = StorageType.element(type).byteCount(elements: count)
    else {
      throw QuantisationError(.wrongShape(shape, wanted: "smaller"), path: path, tensor: name)
    }
    record = TensorRecord(
      name: name, type: .element(type), shape: shape, byteCount: byteCount, file: codes.file,
      offset: nil, encoding: encoding)
    self.type = type
    self.codes = codes.name
    self.operands = [codes.name] + operands
    self.decoder = decoder
  }

  var encoding: String { record.encoding ?? "" }

  /// The module that it is the weight of.
  var module: ExactString {
    let name = record.name.string
    return ExactString(name.hasSuffix(".weight") ? String(name.dropLast(7)) : name)
  }

  /// Fills `values` with the elements `elements`.
  func readFloats(
    _ elements: Range<Int>, from stored: StoredTensors, into values: inout MutableSpan<Float>
  ) throws {
    precondition(values.count == elements.count, "room for as many values as elements")
    try forEachPart(of: elements, from: stored) { part, decoded in
      var bytes = [UInt8](repeating: 0, count: decoded.count * type.bitWidth / 8)
      try round(decoded, into: &bytes)
      let start = part.lowerBound - elements.lowerBound
      var target = values._mutatingExtracting(start..<start + part.count)
      try decode(bytes.rawSpan, as: type, into: &target)
    }
  }

  /// Fills `bytes` with those that the values would have from `offset` on.
  func read(
    at offset: Int, from stored: StoredTensors, into bytes: inout MutableRawSpan
  ) throws {
    let size = type.bitWidth / 8
    let end = offset + bytes.byteCount
    precondition(offset >= 0 && end <= record.byteCount, "within the tensor")
    try forEachPart(of: offset / size..<(end + size - 1) / size, from: stored) { part, decoded in
      var rounded = [UInt8](repeating: 0, count: decoded.count * size)
      try round(decoded, into: &rounded)
      // Whole elements, of which the first and the last may be wanted in part.
      let range = (part.lowerBound * size..<part.upperBound * size).clamped(to: offset..<end)
      var target = bytes._mutatingExtracting(range.lowerBound - offset..<range.upperBound - offset)
      copy(
        rounded.rawSpan.extracting(
          range.lowerBound - part.lowerBound * size..<range.upperBound - part.lowerBound * size),
        into: &target)
    }
  }

  /// Calls `body` with the elements of `elements` in their order, a few rows at a time, decoded but
  /// not yet rounded.
  private func forEachPart(
    of elements: Range<Int>, from stored: StoredTensors,
    _ body: (Range<Int>, Span<Float>) throws -> Void
  ) throws {
    let length = max(1, record.shape.last ?? 1)
    let step = max(decoder.together, Self.tile / length)
    var done = elements.lowerBound
    var buffer: [Float] = []
    while done < elements.upperBound {
      let first = done / length
      let end = min(first + step, (elements.upperBound + length - 1) / length)
      let count = (end - first) * length
      if buffer.count != count { buffer = [Float](repeating: 0, count: count) }
      var span = buffer.mutableSpan
      try decoder.decode(first..<end, from: stored, into: &span)
      let part = done..<min(elements.upperBound, end * length)
      try body(
        part,
        buffer.span.extracting(part.lowerBound - first * length..<part.upperBound - first * length))
      done = part.upperBound
    }
  }

  private func round(_ values: Span<Float>, into bytes: inout [UInt8]) throws {
    var span = bytes.mutableRawSpan
    var overflow = try encode(values, as: type, into: &span)
    // No code is infinite.
    let infinities = infinityCount(values)
    if infinities > 0 { overflow += Overflow(count: infinities, maximum: .infinity) }
    guard overflow.count == 0 else {
      throw QuantisationError(.overflow(overflow, type), path: record.file, tensor: record.name)
    }
  }
}
