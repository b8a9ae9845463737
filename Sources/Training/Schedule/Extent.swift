/// A stretch of a run: so many steps, or a share of all its steps.
package enum Extent: Equatable, Sendable {
  case steps(Int)
  /// In [0, 1].
  case share(Double)

  /// Steps in a run of `total` steps; a share is rounded up.
  package func steps(of total: Int) -> Int {
    switch self {
    case .steps(let count): min(count, total)
    case .share(let share): min(Int((share * Double(total)).rounded(.up)), total)
    }
  }
}
