import ArgumentParser
import Kernels
import Transformer

/// How many threads compute.
struct ThreadOptions: ParsableArguments {
  @Option(name: [.short, .long], help: "Compute threads; one per processor by default.")
  var threads: Int?

  func validate() throws {
    if let threads, threads < 1 || threads > 256 {
      throw ValidationError("--threads must be from 1 to 256.")
    }
  }

  func compute() throws -> Compute { try Compute(threads) }
}

/// Numbers of recurrences, such as `1,2,4,8`.
struct RecurrenceList: ExpressibleByArgument, Equatable {
  var values: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Int($0) }
    guard values.count == parts.count, !values.isEmpty,
      values.allSatisfy((1...Model.mostRecurrences).contains)
    else {
      return nil
    }
  }
}
