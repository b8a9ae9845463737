/// Values too large for the type they were cast to.
package struct Overflow: Equatable, Sendable {
  package var count: Int
  /// Largest magnitude among them; infinite when an infinity, or a float64 beyond float32, was.
  package var maximum: Float

  package static let zero = Overflow(count: 0, maximum: 0)

  package init(count: Int, maximum: Float) {
    self.count = count
    self.maximum = maximum
  }

  package static func += (sum: inout Overflow, more: Overflow) {
    sum.count += more.count
    sum.maximum = max(sum.maximum, more.maximum)
  }
}
