import CKernels
import Platform
package import Tensors

/// Cosines and sines of rotary position embedding, for positions from 0.
package struct RotationTable: Sendable {
  let cosines: Matrix  // [positions, size / 2]
  let sines: Matrix  // [positions, size / 2]
  let size: Int

  /// - Parameters:
  ///   - frequencies: Radians a position of each pair, `[size / 2]`. As in the reference
  ///     implementations, the angle is the float32 product of position and frequency.
  package init(frequencies: [Float], positions: Int) throws(MemoryError) {
    size = 2 * frequencies.count
    cosines = try Matrix(rows: positions, columns: frequencies.count)
    sines = try Matrix(rows: positions, columns: frequencies.count)
    for position in 0..<positions {
      for (pair, frequency) in frequencies.enumerated() {
        let angle = Double(Float(position) * frequency)
        cosines[position, pair] = Float(cos(angle))
        sines[position, pair] = Float(sin(angle))
      }
    }
  }

  package var positions: Int { cosines.rows }
}

/// Rotates each head of each row by its position: split-half pairs i and i + size/2.
///
/// - Parameters:
///   - y: `[rows, heads * size]`, overwritten; may be `x`.
///   - positions: `[rows]`, within the table.
///   - inverse: Rotates back, which is also the gradient.
package func rotate(
  _ y: Matrix, _ x: Matrix, _ table: RotationTable, positions: [Int32], inverse: Bool = false,
  on workers: Workers
) {
  precondition(y.rows == x.rows && y.columns == x.columns, "extents agree")
  precondition(positions.count == x.rows && x.columns % table.size == 0, "whole heads")
  precondition(positions.allSatisfy { $0 >= 0 && $0 < table.positions }, "positions in the table")
  workers.divide(x.rows, grain: grain(x)) { _, rows in
    for row in rows {
      let position = Int(positions[row])
      unsafe ck_rotate(
        y.pointer(row), x.pointer(row), table.cosines.pointer(position),
        table.sines.pointer(position), x.columns / table.size, table.size, inverse ? -1 : 1)
    }
  }
}
