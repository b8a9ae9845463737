import ByteIO
import Tensors

/// Decodes what GPTQ and AWQ store: the matrix transposed, in words of 32 bits that hold several
/// codes, with a scale and a zero point for each group of inputs and each output.
///
/// The weight is `[outputs, inputs]`; `qweight` has a column of words for each output (GPTQ) or for
/// each eight of them (AWQ), scales and zero points are `[groups, outputs]`.
struct ColumnCodes: WeightDecoder {
  enum Order: Sendable {
    /// Codes in a little-endian stream of bits, first code lowest: along the inputs in `qweight`,
    /// along the outputs in `qzeros`. Stored zero points are `offset` less than they are.
    case stream(bits: Int, offset: Int)
    /// Eight outputs to a word, in AWQ's order.
    case interleaved
  }

  let order: Order
  let codes: TensorName
  let scales: TensorName
  let zeros: TensorName
  let inputs: Int
  let outputs: Int
  let groupSize: Int
  /// Nil where runs of inputs share a scale.
  let groups: ColumnGroups?

  let rowUnit: Int? = 32
  /// Where AWQ's words hold outputs 0 to 7, in codes from the lowest.
  private static let places = [0, 4, 1, 5, 2, 6, 3, 7]

  private var groupCount: Int { inputs / groupSize }
  private var bits: Int { if case .stream(let bits, _) = order { bits } else { 4 } }

  func decode(
    _ rows: Range<Int>, from stored: StoredTensors, into values: inout MutableSpan<Float>
  ) throws {
    try unpack(rows, from: stored, into: &values)
    let factors = try factors(rows, from: stored)
    let zeros = try zeroPoints(rows, from: stored)
    let index = try groups?.index(columns: inputs, from: stored)
    for i in 0..<rows.count {
      var target = values._mutatingExtracting(i * inputs..<(i + 1) * inputs)
      let part = i * groupCount..<(i + 1) * groupCount
      let (factors, zeros) = (factors.span.extracting(part), zeros.span.extracting(part))
      if let index {
        scale(&target, by: factors, minus: zeros, index: index.span)
      } else {
        scale(&target, by: factors, minus: zeros, width: groupSize)
      }
    }
  }

  /// Fills `values` with the codes of the outputs `rows`.
  private func unpack(
    _ rows: Range<Int>, from stored: StoredTensors, into values: inout MutableSpan<Float>
  ) throws {
    let isStream = if case .stream = order { true } else { false }
    let columns = isStream ? rows : rows.lowerBound / 8..<(rows.upperBound + 7) / 8
    let height = isStream ? inputs * bits / 32 : inputs
    let words = try block(
      of: codes, rows: 0..<height, columns: columns, of: isStream ? outputs : outputs / 8,
      from: stored)
    let bytes = transposedWords(words, rows: height, columns: columns.count)
    for (i, row) in rows.enumerated() {
      let column = (isStream ? row : row / 8) - columns.lowerBound
      let part = bytes.rawSpan.extracting(column * height * 4..<(column + 1) * height * 4)
      var target = values._mutatingExtracting(i * inputs..<(i + 1) * inputs)
      if isStream {
        unpackStream(part, bits: bits, into: &target)
      } else {
        unpackWords(part, shift: 4 * Self.places[row % 8], bits: 4, into: &target)
      }
    }
  }

  /// A scale for each output of `rows` and each group.
  private func factors(_ rows: Range<Int>, from stored: StoredTensors) throws -> [Float] {
    var factors = [Float](repeating: 0, count: rows.count * groupCount)
    for group in 0..<groupCount {
      let start = group * outputs
      let found = try stored.floats(scales, start + rows.lowerBound..<start + rows.upperBound)
      for (i, value) in found.enumerated() {
        guard value.isFinite, value != 0 else {
          throw QuantisationError(
            .badScale(value, row: group, column: rows.lowerBound + i), path: stored.path,
            tensor: scales)
        }
        factors[i * groupCount + group] = value
      }
    }
    return factors
  }

  /// A zero point for each output of `rows` and each group.
  private func zeroPoints(_ rows: Range<Int>, from stored: StoredTensors) throws -> [Float] {
    // 32 codes fill `bits` words, and none of them lies outside.
    let width = outputs * bits / 32
    let start = rows.lowerBound / 32 * 32
    let (first, end) = (start / 32 * bits, min((rows.upperBound + 31) / 32 * bits, width))
    let bytes = try block(
      of: zeros, rows: 0..<groupCount, columns: first..<end, of: width, from: stored)
    var points = [Float](repeating: 0, count: rows.count * groupCount)
    var numbers = [Float](repeating: 0, count: (end - first) * 32 / bits)
    for group in 0..<groupCount {
      let size = (end - first) * 4
      let part = bytes.rawSpan.extracting(group * size..<(group + 1) * size)
      var span = numbers.mutableSpan
      unpackStream(part, bits: bits, into: &span)
      for (i, row) in rows.enumerated() {
        points[i * groupCount + group] = try zeroPoint(numbers, row, group, from: start, stored)
      }
    }
    return points
  }

  private func zeroPoint(
    _ numbers: [Float], _ row: Int, _ group: Int, from start: Int, _ stored: StoredTensors
  ) throws -> Float {
    switch order {
    case .interleaved: return numbers[row / 8 * 8 - start + Self.places[row % 8]]
    case .stream(let bits, let offset):
      let code = numbers[row - start]
      // One more does not fit the width, and decoders take it for 0 or for one more.
      guard offset == 0 || code < Float((1 << bits) - 1) else {
        throw QuantisationError(
          .badZeroPoint(Int(code), row: group, column: row), path: stored.path, tensor: zeros)
      }
      return code + Float(offset)
    }
  }

  /// Words of 32 bits: some columns of some rows of a matrix that has `width` of them in a row.
  private func block(
    of name: TensorName, rows: Range<Int>, columns: Range<Int>, of width: Int,
    from stored: StoredTensors
  ) throws -> [UInt8] {
    let (row, size) = (width * 4, columns.count * 4)
    if columns.count == width {
      return try stored.bytes(name, rows.lowerBound * row..<rows.upperBound * row)
    }
    var bytes = [UInt8](repeating: 0, count: rows.count * size)
    // Copying so many bytes takes as long as asking for fewer.
    let step = row <= 1 << 13 ? max(1, (1 << 18) / row) : 1
    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: step) {
      let count = min(step, rows.upperBound - first)
      let start = columns.lowerBound * 4
      let whole = try stored.bytes(
        name, first * row + start..<(first + count - 1) * row + start + size)
      var all = bytes.mutableRawSpan
      for i in 0..<count {
        let place = (first - rows.lowerBound + i) * size
        var part = all._mutatingExtracting(place..<place + size)
        copy(whole.rawSpan.extracting(i * row..<i * row + size), into: &part)
      }
    }
    return bytes
  }
}
