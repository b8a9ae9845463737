import ArgumentParser
import Transformer

/// `2` or `2:8`: recurrences of a draft, and the tokens that it guesses at a time.
struct DraftChoice: ExpressibleByArgument, Equatable {
  var rule: DraftRule

  init?(argument: String) {
    let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let passes = Int(parts[0]), (1...Model.mostRecurrences).contains(passes) else {
      return nil
    }
    guard let count = parts.count == 1 ? 8 : Int(parts[1]),
      (1...DraftRule.mostGuesses).contains(count)
    else { return nil }
    rule = DraftRule(passes: passes, count: count)
  }
}
