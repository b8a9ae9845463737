import ArgumentParser

/// What a trace saves.
enum TracePart: String, CaseIterable {
  case logits
  case hidden
  case latent
  case loss
  case gradients
}

/// A comma-separated list of trace parts.
struct TraceParts: ExpressibleByArgument, Equatable {
  var parts: Set<TracePart>

  init(_ parts: Set<TracePart>) { self.parts = parts }

  init?(argument: String) {
    let names = argument.split(separator: ",", omittingEmptySubsequences: false)
    let found = names.compactMap { TracePart(rawValue: String($0)) }
    guard found.count == names.count else { return nil }
    parts = Set(found)
  }

  static var allValueStrings: [String] { TracePart.allCases.map(\.rawValue) }
  static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
  var defaultValueDescription: String {
    TracePart.allCases.filter(parts.contains).map(\.rawValue).joined(separator: ",")
  }
}

/// `N`, or `N,K`: recurrences without gradient, then with, as the published code counts them.
struct RecurrenceDepth: ExpressibleByArgument, Equatable {
  var withoutGradient: Int
  var withGradient: Int

  init(withoutGradient: Int, withGradient: Int) {
    self.withoutGradient = withoutGradient
    self.withGradient = withGradient
  }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let values = parts.compactMap { Int($0) }
    guard values.count == parts.count, (1...2).contains(values.count),
      values.allSatisfy({ $0 >= 0 }), values.reduce(0, &+) > 0
    else { return nil }
    withoutGradient = values[0]
    withGradient = values.count == 2 ? values[1] : 0
  }

  var total: Int { withoutGradient + withGradient }
}
