extension Initialiser {
  /// Fills `values` with the elements of a tensor of `shape` from row-major index `start` on.
  package func fill(shape: [Int], from start: Int, into values: inout MutableSpan<Float>) {
    switch self {
    case .zeros: for i in 0..<values.count { values[i] = 0 }
    case .ones: for i in 0..<values.count { values[i] = 1 }
    case .identities(let state, let prelude):
      let width = max(1, shape.last ?? 1)
      for i in 0..<values.count {
        let (row, column) = (start + i).quotientAndRemainder(dividingBy: width)
        values[i] = column == row ? state : column == row + width / 2 ? prelude : 0
      }
    case .uniform(let bound, let seed):
      let stream = RandomStream(seed: seed)
      for i in 0..<values.count {
        values[i] = bound * stream.symmetric(at: UInt64(start + i))
      }
    case .normal(let deviation, let seed):
      let stream = RandomStream(seed: seed)
      for i in 0..<values.count {
        values[i] = Float(Double(deviation) * stream.truncatedNormal(at: UInt64(start + i)))
      }
    }
  }

  /// The rows `rows`, cast to `type`, a tile at a time.
  func write(
    shape: [Int], rows: Range<Int>, as type: ElementType, into bytes: inout MutableRawSpan
  ) throws(ConversionError) -> Overflow {
    let length = shape.dropFirst().reduce(1, &*)
    var overflow = Overflow.zero
    let tile = 1 << 16  // elements, whole bytes in every type
    for first in stride(from: rows.lowerBound * length, to: rows.upperBound * length, by: tile) {
      let count = min(tile, rows.upperBound * length - first)
      var values = [Float](repeating: 0, count: count)
      var span = values.mutableSpan
      fill(shape: shape, from: first, into: &span)
      let start = (first - rows.lowerBound * length) * type.bitWidth / 8
      var target = bytes._mutatingExtracting(start..<(start + count * type.bitWidth / 8))
      overflow += try encode(values.span, as: type, into: &target)
    }
    return overflow
  }
}
