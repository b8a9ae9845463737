package import Training
package import Transformer

/// Who is told how a run goes on.
package protocol RunObserver {
  /// Tokens made so far from the source at `path`.
  func tokenising(_ path: String, _ count: Int)
  /// How the run, which takes `byteCount` bytes, uses its memory.
  func show(_ plan: ActivationPlan, byteCount: Int)
  func show(_ event: Trainer.Event)
}
