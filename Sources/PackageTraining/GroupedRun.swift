package import ByteIO
import MessagePassing
package import Training

/// Carries out a run on this process, or on this rank of a group of processes, and sees to it that
/// a group ends together: each error is reported once, and nobody waits for a rank that is gone.
package struct GroupedRun {
  /// Shows an error to the user.
  private let report: (any Error) -> Void

  package init(report: @escaping (any Error) -> Void) { self.report = report }

  /// What `body` gives.
  ///
  /// - Parameter body: Is given the group, and the threads that are this rank's share; nil when it
  ///   is alone.
  package func perform<Result>(
    _ body: (any GradientExchange, _ threads: Int?) throws -> Result
  ) throws -> Result {
    guard let group = try MessagePassing.join() else { return try body(SingleProcess(), nil) }
    do {
      let result = try body(group, group.threads)
      try group.leave()
      return result
    } catch {
      let kind = (error as? any DiagnosedError)?.kind ?? .internal
      let reporter = Self.reporter(of: error)
      if group.rank == reporter ?? group.rank {
        report(RankError(name: group.name(of: group.rank), error: error))
      }
      guard reporter != nil else { group.abort(kind.rawValue) }
      try group.leave()
      throw ReportedElsewhere(kind: kind)
    }
  }

  /// Which rank reports an error that all have met; nil for one of this rank's own.
  private static func reporter(of error: any Error) -> Int? {
    if let failure = error as? SharedFailure { return failure.rank }
    switch (error as? TrainingError)?.problem {
    case .stopped, .diverged, .weightsNotFinite, .otherWeights: return 0
    default: break
    }
    if case .exhausted = (error as? DataError)?.problem { return 0 }
    return nil
  }
}

/// An error that has been shown already, or will be by another process.
package struct ReportedElsewhere: DiagnosedError {
  package var kind: FailureKind
  package var code: String { "train.reported" }
  package var message: String { "reported by another process" }
}

/// An error and the rank of the group that met it.
package struct RankError: DiagnosedError {
  package let name: String
  package let error: any Error

  private var diagnosed: (any DiagnosedError)? {
    ((error as? SharedFailure)?.error ?? error) as? any DiagnosedError
  }

  package var code: String { diagnosed?.code ?? "internal" }
  package var kind: FailureKind { diagnosed?.kind ?? .internal }
  package var message: String { "\(name): \(diagnosed?.message ?? "\(error)")" }
  package var file: String? { diagnosed?.file }
  package var offset: Int? { diagnosed?.offset }
  package var tensor: String? { diagnosed?.tensor }
  package var hint: String? { diagnosed?.hint }
}

/// The first failure among ranks that did the same.
package struct SharedFailure: DiagnosedError {
  /// Who met it.
  package let rank: Int
  package let kind: FailureKind
  /// The error itself, on the rank that met it.
  package let error: (any Error)?

  package var code: String { "train.shared_failure" }
  package var message: String { "rank \(rank) failed" }
}

extension GradientExchange {
  /// Does the same on every rank, and throws on all when one fails.
  package func together<Result>(_ body: () throws -> Result) throws -> Result {
    if worldSize == 1 { return try body() }
    let outcome = Swift.Result { try body() }
    var failure: FailureKind?
    if case .failure(let error) = outcome {
      failure = (error as? any DiagnosedError)?.kind ?? .internal
    }
    let all = try gather([Double(failure?.rawValue ?? 0)]).map { $0[0] }
    guard let first = all.firstIndex(where: { $0 != 0 }) else { return try outcome.get() }
    var error: (any Error)?
    if first == rank, case .failure(let mine) = outcome { error = mine }
    throw SharedFailure(
      rank: first, kind: FailureKind(rawValue: Int32(all[first])) ?? .internal, error: error)
  }

  /// The first rank goes ahead, so that the others find what it has written.
  package func inTurn<Result>(_ body: () throws -> Result) throws -> Result {
    if isFirst {
      let result = try together(body)
      return try together { result }
    }
    try together {}
    return try together(body)
  }
}
