import ArgumentParser
import Transformer

/// `kl:5e-4` or `latent:0.03`: when a token stops thinking.
struct ExitChoice: ExpressibleByArgument, Equatable {
  var rule: ExitRule
  /// As it was typed.
  var text: String

  init?(argument: String) {
    let parts = argument.split(separator: ":", maxSplits: 1).map(String.init)
    guard parts.count == 2, let limit = Double(parts[1]), limit > 0, limit.isFinite else {
      return nil
    }
    switch parts[0] {
    case "kl": rule = .divergence(limit)
    case "latent": rule = .latent(limit)
    default: return nil
    }
    text = argument
  }
}

/// `latent:0.1,0.03`: one rule with several limits.
struct ExitList: ExpressibleByArgument, Equatable {
  var choices: [ExitChoice]

  init?(argument: String) {
    let parts = argument.split(separator: ":", maxSplits: 1)
    guard parts.count == 2 else { return nil }
    let limits = parts[1].split(separator: ",", omittingEmptySubsequences: false)
    choices = limits.compactMap { ExitChoice(argument: "\(parts[0]):\($0)") }
    if choices.count != limits.count { return nil }
  }
}
