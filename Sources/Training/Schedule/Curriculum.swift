/// How a depth grows in the first part of a run: the mean recurrence, or the backprop depth.
///
/// In a ramp of W steps the value at step t is `ceil(start + (end - start) · f(t / W))`, never below
/// 1, and `end` after it. `start: 0` is the paper's form.
package struct Curriculum: Equatable, Sendable {
  package enum Shape: String, CaseIterable, Sendable {
    /// `end` from the first step on.
    case constant
    /// f(p) = p
    case linear
    /// f(p) = 1 - √(1 - p): slow at first, fast at the end of the ramp.
    case oneMinusSquareRoot = "1-sqrt"
  }

  package var shape: Shape
  package var start: Int
  package var end: Int
  /// The ramp.
  package var extent: Extent

  package init(_ shape: Shape, from start: Int = 0, to end: Int, over extent: Extent) {
    self.shape = shape
    self.start = start
    self.end = end
    self.extent = extent
  }

  package static func constant(_ value: Int) -> Curriculum {
    Curriculum(.constant, to: value, over: .steps(0))
  }

  /// The value at `step` (from 0) of a run of `total` steps.
  package func value(at step: Int, of total: Int) -> Int {
    let ramp = extent.steps(of: total)
    guard shape != .constant, step < ramp else { return max(1, end) }
    let p = Double(step) / Double(ramp)
    let f = shape == .linear ? p : 1 - (1 - p).squareRoot()
    return max(1, Int((Double(start) + Double(end - start) * f).rounded(.up)))
  }
}
