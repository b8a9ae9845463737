package import ByteIO
package import Charts
package import Training
package import Transformer

/// What a training run gave.
package struct TrainingOutcome {
  package var run: RunFolder
  /// Paths of what the run has written, beside its logs.
  package var written: Set<String>
  package var progress: TrainerProgress
  /// Recurrences of the trained model where none are asked for; nil when it is not recurrent.
  package var recurrence: Int?
  package var steps: [StepRecord]
  package var evaluations: [EvaluationRecord]
  package var chart: LineChart
  package var skippedRecords: Int
  /// Of the data's files.
  package var warnings: [Warning]
  package var plan: ActivationPlan
  /// Memory that the run was planned to take, in bytes.
  package var byteCount: Int
}
