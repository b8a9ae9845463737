import Platform

/// The factor on every learning rate, by step.
///
/// Warm-up goes linearly from `floor` to 1. The decay ends at `floor`; its formula and that of the
/// warm-up are those of Hugging Face's `get_wsd_schedule`, so factor(0) is `floor`, not 0.
package struct LearningRateSchedule: Equatable, Sendable {
  package enum Shape: String, CaseIterable, Sendable {
    /// 1 after the warm-up.
    case constant
    /// Flat, then a cosine over the cooldown at the end.
    case warmupStableDecay = "wsd"
    /// A cosine from the end of the warm-up to the end of the run.
    case cosine
    /// A straight line from the end of the warm-up to the end of the run.
    case linear
  }

  package var shape: Shape
  package var warmup: Extent
  /// Length of the decay at the end; of `wsd` only.
  package var cooldown: Extent
  /// Smallest factor.
  package var floor: Double

  package init(
    _ shape: Shape, warmup: Extent = .steps(0), cooldown: Extent = .steps(0), floor: Double = 0.001
  ) {
    self.shape = shape
    self.warmup = warmup
    self.cooldown = cooldown
    self.floor = floor
  }

  /// The factor at `step` (from 0) of a run of `total` steps.
  package func factor(at step: Int, of total: Int) -> Double {
    let warmup = warmup.steps(of: total)
    if step < warmup { return raised(Double(step) / Double(warmup)) }
    let decay =
      switch shape {
      case .constant: 0
      case .warmupStableDecay: min(cooldown.steps(of: total), total - warmup)
      case .cosine, .linear: total - warmup
      }
    let into = step - (total - decay)
    if shape == .constant || into < 0 { return 1 }
    if into >= decay { return floor }
    let progress = Double(into) / Double(decay)
    return raised(shape == .linear ? 1 - progress : 0.5 * (1 + cos(Double.pi * progress)))
  }

  private func raised(_ factor: Double) -> Double { factor * (1 - floor) + floor }
}
