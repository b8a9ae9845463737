import ArgumentParser
import Transformer

/// `kl:5e-4` or `latent:0.03`: when a token stops thinking.
struct ExitChoice: ExpressibleByArgument, Equatable {
  var rule: ExitRule

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
  }
}
