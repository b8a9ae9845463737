package import ByteIO
package import Training

/// One run, as far as it is reported and compared.
package struct RunSummary {
  /// What a run's progress is measured in.
  package enum Axis: String, CaseIterable, Sendable {
    case tokens
    case flops
  }

  package var name: String
  package var path: String
  package var steps: [StepRecord]
  package var evaluations: [EvaluationRecord]
  /// nil where the folder has no recipe.
  package var settings: TrainingSettings?
  /// The trained package; nil where the run has written none.
  package let package: String?

  package init(_ path: String) throws {
    let folder = RunFolder(path)
    self.path = folder.path
    steps = try folder.steps()
    evaluations = try folder.evaluationRecords()
    package = try pathKind(folder.package) == .folder ? folder.package : nil
    name = folder.path.split(separator: "/").last.map(String.init) ?? path
    if try pathKind(folder.recipe) == .file {
      var settings = TrainingSettings()
      try TrainingRecipe.apply(folder.recipe, to: &settings)
      self.settings = settings
    }
  }

  /// Reads runs; those whose folders have the same name are called by their paths.
  package static func reading(_ paths: [String]) throws -> [RunSummary] {
    let runs = try paths.map { try RunSummary($0) }
    let counts = Dictionary(runs.map { ($0.name, 1) }, uniquingKeysWith: +)
    return runs.map { run in
      var run = run
      if counts[run.name, default: 0] > 1 { run.name = run.path }
      return run
    }
  }

  /// Whether the folder at `path` is a run's.
  package static func isRun(_ path: String) throws(FileError) -> Bool {
    guard try pathKind(path) == .folder else { return false }
    return try pathKind(RunFolder(path).metrics) == .file
  }

  /// Mean loss of the last tenth of the steps, those without a finite one left out; nil when there
  /// is none.
  package var finalLoss: Double? {
    let last = steps.suffix(max(1, steps.count / 10)).map(\.loss).filter(\.isFinite)
    return last.isEmpty ? nil : last.reduce(0, +) / Double(last.count)
  }

  /// Steps whose loss is NaN or infinite.
  package var brokenSteps: Int { steps.count { !$0.loss.isFinite } }

  /// Tokens a second, over the whole run.
  package var speed: Double? {
    steps.last.map { Double($0.tokens) / max($0.seconds, 1e-9) }
  }

  /// Recurrences of the evaluations, ascending; nil stands for a model that is not recurrent.
  package var recurrences: [Int?] {
    Set(evaluations.flatMap { $0.results.map(\.recurrence) }).sorted { ($0 ?? 0) < ($1 ?? 0) }
  }

  /// What the trained model was made from, where that was measured.
  var source: EvaluationRecord.Source? { evaluations.first?.source }

  /// The recurrence that the model is trained for if it was evaluated there, or the deepest one of the
  /// evaluations; nil where there is none.
  var meantRecurrence: Int? {
    recurrences.first { $0 != nil && $0 == settings?.recurrence.final } ?? recurrences.last ?? nil
  }

  /// Held-out loss at a recurrence, of the first and the last evaluation that have it.
  func heldOut(_ recurrence: Int?) -> (first: Double?, last: Double?) {
    let losses = evaluations.compactMap { record in
      record.results.first { $0.recurrence == recurrence }?.loss
    }
    return (losses.first, losses.last)
  }
}
