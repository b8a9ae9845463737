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

  /// `20`, or `0.05`; nil for anything else.
  package init?(_ text: String) {
    if let count = Int(text), (0...1 << 40).contains(count) {
      self = .steps(count)
    } else if let share = Double(text), (0...1).contains(share) {
      self = .share(share)
    } else {
      return nil
    }
  }

  /// What `init` reads.
  package var text: String {
    switch self {
    case .steps(let count): "\(count)"
    case .share(let share): "\(share)"
    }
  }
}
