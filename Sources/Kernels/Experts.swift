import CKernels

/// Which experts the rows of a batch go through, and the order in which their rows stand grouped by
/// expert.
///
/// Row t of the batch has the places `t * chosen ..< (t + 1) * chosen`, the likeliest expert first.
package struct Routing: Sendable {
  /// Experts of a row.
  package let chosen: Int
  /// Expert of each place.
  package let experts: [Int]
  /// Row of each place in the grouped order.
  package let slots: [Int]
  /// Row of the batch of each grouped row.
  package let rows: [Int]
  /// First grouped row of each expert, and the end.
  package let starts: [Int]

  /// Takes the largest probabilities of each row; of equal ones the expert that comes first.
  ///
  /// - Parameter probabilities: `[T, E]`.
  package init(_ probabilities: Matrix, chosen: Int) {
    let count = probabilities.columns
    precondition(chosen > 0 && chosen <= count, "as many experts as there are")
    var experts = [Int](repeating: 0, count: probabilities.rows * chosen)
    var taken = [Bool](repeating: false, count: count)
    for row in 0..<probabilities.rows {
      let p = unsafe probabilities.pointer(row)
      for place in row * chosen..<(row + 1) * chosen {
        var best = -1
        for expert in 0..<count where !taken[expert] {
          if unsafe best < 0 || p[expert] > p[best] { best = expert }
        }
        taken[best] = true
        experts[place] = best
      }
      for place in row * chosen..<(row + 1) * chosen { taken[experts[place]] = false }
    }
    self.init(experts: experts, chosen: chosen, count: count)
  }

  private init(experts: [Int], chosen: Int, count: Int) {
    var starts = [Int](repeating: 0, count: count + 1)
    for expert in experts { starts[expert + 1] += 1 }
    for expert in 0..<count { starts[expert + 1] += starts[expert] }
    var next = starts
    var slots = [Int](repeating: 0, count: experts.count)
    var rows = slots
    for (place, expert) in experts.enumerated() {
      slots[place] = next[expert]
      rows[next[expert]] = place / chosen
      next[expert] += 1
    }
    self.chosen = chosen
    self.experts = experts
    self.slots = slots
    self.rows = rows
    self.starts = starts
  }

  /// Grouped rows of an expert.
  package func rows(of expert: Int) -> Range<Int> { starts[expert]..<starts[expert + 1] }

  /// The experts that some row goes through.
  package var inUse: [Int] { (0..<(starts.count - 1)).filter { !rows(of: $0).isEmpty } }
}

/// Every row of `x` becomes its softmax.
package func softmaxRows(_ x: Matrix) {
  let first = [Int32](repeating: 0, count: x.rows)
  let last = [Int32](repeating: Int32(x.columns), count: x.rows)
  var inverse = [Float](repeating: 0, count: x.rows)
  var logSum = inverse
  unsafe ck_exponentials(
    x.pointer, x.stride, first, last, x.rows, x.columns, 1, &inverse, &logSum)
  unsafe ck_scale_rows(x.pointer, x.stride, x.pointer, x.stride, inverse, x.rows, x.columns)
}

/// `y[i] = x[rows[i]]`.
package func gatherRows(_ y: Matrix, _ x: Matrix, rows: [Int], on compute: Compute) {
  precondition(y.rows == rows.count && y.columns == x.columns, "extents agree")
  precondition(rows.allSatisfy { $0 >= 0 && $0 < x.rows }, "rows of the matrix")
  compute.divide(y.rows, grain: grain(y)) { _, range in
    for i in range {
      unsafe y.pointer(i).update(from: x.pointer(rows[i]), count: y.columns)
    }
  }
}

/// `y[t] = factor[t, j] · x[slot[t, j]]`, summed over the places j in their order; 1 where there are
/// no factors.
///
/// - Parameters:
///   - y: `[T, h]`.
///   - x: `[T * chosen, h]`, grouped by expert.
///   - factors: One for each place.
package func combineRows(
  _ y: Matrix, _ x: Matrix, _ routing: Routing, factors: [Float]? = nil, adding: Bool = false,
  on compute: Compute
) {
  precondition(y.columns == x.columns && routing.slots.count == y.rows * routing.chosen, "extents")
  precondition(x.rows == routing.slots.count, "a row for each place")
  precondition(factors.map { $0.count == x.rows } ?? true, "a factor for each place")
  compute.divide(y.rows, grain: grain(y)) { _, range in
    for row in range {
      if !adding { unsafe y.pointer(row).update(repeating: 0, count: y.columns) }
      for place in row * routing.chosen..<(row + 1) * routing.chosen {
        unsafe ck_add_scaled(
          y.pointer(row), 0, x.pointer(routing.slots[place]), 0, factors?[place] ?? 1, 1, y.columns)
      }
    }
  }
}

/// Multiplies each grouped row by its place's factor.
package func scaleRows(
  _ x: Matrix, _ routing: Routing, by factors: [Float], on compute: Compute
) {
  precondition(x.rows == routing.slots.count && factors.count == x.rows, "a factor for each row")
  var byRow = factors
  for (place, slot) in routing.slots.enumerated() { byRow[slot] = factors[place] }
  compute.divide(x.rows, grain: grain(x)) { _, range in
    for row in range {
      let start = unsafe x.pointer(row)
      unsafe ck_scale(start, x.columns, byRow[row])
    }
  }
}

/// Products `x[i] · y[i]` of rows, by place.
package func rowProducts(_ x: Matrix, _ y: Matrix, _ routing: Routing) -> [Float] {
  precondition(x.rows == y.rows && x.columns == y.columns, "extents agree")
  precondition(x.rows == routing.slots.count, "a row for each place")
  return routing.slots.map { slot in
    let (a, b) = unsafe (x.pointer(slot), y.pointer(slot))
    var sum = 0.0
    for i in 0..<x.columns { unsafe sum += Double(a[i]) * Double(b[i]) }
    return Float(sum)
  }
}
