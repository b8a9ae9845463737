import ByteIO
import Tensors

/// Decodes codes that lie row after row: code minus zero point, times the scale of its block.
struct ScaledRows: WeightDecoder {
  enum Codes: Sendable {
    /// A tensor of numbers, of the weight's shape.
    case numbers(TensorName)
    /// Unsigned codes in a little-endian stream of bits, first code lowest, each row on its own.
    case packed(TensorName, bits: Int, rowBytes: Int)
    /// E2M1 numbers, two to a byte, first number lowest; rows are whole bytes.
    case fp4(TensorName)
  }

  let codes: Codes
  let columns: Int
  let scales: ScaleGrid
  var zeroPoints = ZeroPoints.none
  /// Nil where runs of columns share a scale.
  var groups: ColumnGroups?

  func decode(
    _ rows: Range<Int>, from stored: StoredTensors, into values: inout MutableSpan<Float>
  ) throws {
    switch codes {
    case .numbers(let name):
      let range = rows.lowerBound * columns..<rows.upperBound * columns
      try stored.readFloats(name, elements: range, into: &values)
    case .packed(let name, let bits, let size):
      let bytes = try stored.bytes(name, rows.lowerBound * size..<rows.upperBound * size)
      for i in 0..<rows.count {
        var target = values._mutatingExtracting(i * columns..<(i + 1) * columns)
        unpackStream(
          bytes.rawSpan.extracting(i * size..<(i + 1) * size), bits: bits, into: &target)
      }
    case .fp4(let name):
      let size = columns / 2
      let bytes = try stored.bytes(name, rows.lowerBound * size..<rows.upperBound * size)
      try Tensors.decode(bytes.rawSpan, as: .f4, into: &values)
    }
    let (first, factors) = try scales.scales(for: rows, from: stored)
    let zeros = try zeroPoints.numbers(beside: scales, for: rows, from: stored)
    let index = try groups?.index(columns: columns, from: stored)
    for (i, row) in rows.enumerated() {
      let start = (scales.row(row) - first) * scales.columns
      let part = start..<start + scales.columns
      var target = values._mutatingExtracting(i * columns..<(i + 1) * columns)
      let factors = factors.span.extracting(part)
      let zeros = zeros?.span.extracting(part)
      if let index {
        scale(&target, by: factors, minus: zeros, index: index.span)
      } else {
        scale(&target, by: factors, minus: zeros, width: scales.blockColumns)
      }
    }
  }
}

/// What is subtracted from codes before they are scaled.
enum ZeroPoints: Sendable {
  case none
  case same(Float)
  /// A number for each block, as the scales have them, and one more for all.
  case stored(ScaleGrid, plus: Float)
  /// A code for each row and block of columns, packed along the rows: bit `bits * row` of a
  /// column's little-endian words of 32 bits.
  case packed(TensorName, bits: Int)

  /// Numbers in the places of those that `scales` gives for `rows`; nil for none.
  func numbers(
    beside scales: ScaleGrid, for rows: Range<Int>, from stored: StoredTensors
  ) throws -> [Float]? {
    guard !rows.isEmpty else { return nil }
    switch self {
    case .none: return nil
    case .same(let zero):
      let count = scales.row(rows.upperBound - 1) - scales.row(rows.lowerBound) + 1
      return [Float](repeating: zero, count: count * scales.columns)
    case .stored(let grid, let offset):
      return try grid.numbers(for: rows, from: stored).values.map { $0 + offset }
    case .packed(let name, let bits):
      let columns = scales.columns
      let first = rows.lowerBound * bits / 32
      let end = (rows.upperBound * bits + 31) / 32
      let bytes = try stored.bytes(name, first * columns * 4..<end * columns * 4)
      var numbers: [Float] = []
      numbers.reserveCapacity(rows.count * columns)
      // Widths that divide 32: no code lies in two words.
      for row in rows {
        let (word, shift) = (row * bits).quotientAndRemainder(dividingBy: 32)
        for column in 0..<columns {
          let byte = ((word - first) * columns + column) * 4 + shift / 8
          numbers.append(Float(bytes[byte] >> UInt8(shift % 8) & UInt8((1 << bits) - 1)))
        }
      }
      return numbers
    }
  }
}

/// The group of each column of a weight whose columns were quantised in another order.
struct ColumnGroups: Sendable {
  let tensor: TensorName
  /// Number of groups that have scales.
  let count: Int
  /// Whether -1 in all places says that nothing was ever filled in.
  var mayBeUnset = false

  /// - Returns: A group for each column, checked; nil when the tensor was never filled in.
  func index(columns: Int, from stored: StoredTensors) throws -> [Int32]? {
    let bytes = try stored.bytes(tensor, 0..<columns * 4)
    var reader = ByteReader(bytes.rawSpan)
    var index: [Int32] = []
    index.reserveCapacity(columns)
    for _ in 0..<columns { index.append(Int32(bitPattern: try reader.read(UInt32.self))) }
    if mayBeUnset, index.allSatisfy({ $0 == -1 }) { return nil }
    if let column = index.firstIndex(where: { $0 < 0 || Int($0) >= count }) {
      throw QuantisationError(
        .badGroup(Int(index[column]), column: column, groups: count), path: stored.path,
        tensor: tensor)
    }
    var isEmpty = [Bool](repeating: true, count: count)
    for group in index { isEmpty[Int(group)] = false }
    if let group = isEmpty.firstIndex(of: true) {
      throw QuantisationError(.emptyGroup(group), path: stored.path, tensor: tensor)
    }
    return index
  }
}
