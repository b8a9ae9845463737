import CKernels
import Platform
package import Tensors

/// Cosines and sines of rotary position embedding, for positions from 0.
package struct RotationTable: Sendable {
  let cosines: Matrix  // [positions, size / 2]
  let sines: Matrix  // [positions, size / 2]
  /// Values of a head that are turned, from its first on.
  let size: Int
  /// Whether pairs lie side by side, 2i and 2i + 1, and not half a head apart.
  let isInterleaved: Bool

  /// - Parameters:
  ///   - frequencies: Radians a position of each pair, `[size / 2]`. As in the reference
  ///     implementations, the angle is the float32 product of position and frequency.
  ///   - magnitude: Factor on cosines and sines.
  package init(
    frequencies: [Float], positions: Int, magnitude: Double = 1, isInterleaved: Bool = false
  ) throws(MemoryError) {
    self.isInterleaved = isInterleaved
    size = 2 * frequencies.count
    cosines = try Matrix(rows: positions, columns: frequencies.count)
    sines = try Matrix(rows: positions, columns: frequencies.count)
    for position in 0..<positions {
      for (pair, frequency) in frequencies.enumerated() {
        let angle = Double(Float(position) * frequency)
        cosines[position, pair] = Float(cos(angle) * magnitude)
        sines[position, pair] = Float(sin(angle) * magnitude)
      }
    }
  }

  package var positions: Int { cosines.rows }
}

/// Rotates each head of each row by its position: pairs i and i + size/2, or 2i and
/// 2i + 1, as the table says.
///
/// - Parameters:
///   - y: `[rows, heads * headSize]`, overwritten; may be `x`. Values of a head that the table does not
///     turn stay as they are in `y`.
///   - headSize: Nil where the table turns whole heads.
///   - positions: `[rows]`, within the table.
///   - inverse: Rotates back, which is also the gradient.
package func rotate(
  _ y: Matrix, _ x: Matrix, _ table: RotationTable, headSize: Int? = nil, positions: [Int32],
  inverse: Bool = false, on compute: Compute
) {
  let headSize = headSize ?? table.size
  precondition(y.rows == x.rows && y.columns == x.columns, "extents agree")
  precondition(positions.count == x.rows && x.columns % headSize == 0, "whole heads")
  precondition(table.size <= headSize, "a part of each head")
  precondition(positions.allSatisfy { $0 >= 0 && $0 < table.positions }, "positions in the table")
  compute.divide(x.rows, grain: grain(x)) { _, rows in
    for row in rows {
      let position = Int(positions[row])
      unsafe ck_rotate(
        y.pointer(row), x.pointer(row), table.cosines.pointer(position),
        table.sines.pointer(position), x.columns / headSize, headSize, table.size,
        table.isInterleaved ? 1 : 0, inverse ? -1 : 1)
    }
  }
}
