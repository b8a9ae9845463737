import ByteIO
import Tensors

/// Turns codes into values, any rows at a time.
protocol WeightDecoder: Sendable {
  /// Whether the rows lie side by side in the file, so that many are decoded as fast as one: the
  /// unit of which they are best decoded in multiples; nil where they lie one after another.
  var rowUnit: Int? { get }

  /// Fills `values` with the rows `rows` of the weight before they are rounded to its type. Rows
  /// run along the last dimension, and are counted over all dimensions before it.
  func decode(
    _ rows: Range<Int>, from stored: StoredTensors, into values: inout MutableSpan<Float>) throws
}

extension WeightDecoder {
  var rowUnit: Int? { nil }
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
  /// The same of weights whose rows lie side by side.
  private static let largeTile = 1 << 20

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
    var done = elements.lowerBound
    while done < elements.upperBound {
      let last = (elements.upperBound + length - 1) / length
      let (first, values) = try rows(from: done / length, to: last, length, stored)
      let end = min(elements.upperBound, first * length + values.count)
      try body(
        done..<end, values.span.extracting(done - first * length..<end - first * length))
      done = end
    }
  }

  /// Decodes row `row` and some after it, at most to `end`, or all of a tile that has it; the first
  /// row, and the values.
  private func rows(
    from row: Int, to end: Int, _ length: Int, _ stored: StoredTensors
  ) throws -> (first: Int, values: [Float]) {
    func decode(_ rows: Range<Int>) throws -> [Float] {
      var values = [Float](repeating: 0, count: rows.count * length)
      var span = values.mutableSpan
      try decoder.decode(rows, from: stored, into: &span)
      return values
    }
    guard let unit = decoder.rowUnit else {
      return (row, try decode(row..<min(end, row + max(1, Self.tile / length))))
    }
    let height = max(1, Self.largeTile / length / unit) * unit
    let first = row / height * height
    let values = try stored.tiles.tile(record.name, row / height) {
      try decode(first..<min(record.elementCount / length, first + height))
    }
    return (first, values)
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
