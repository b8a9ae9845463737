/// Settings of the paper's runs, as recipes over the defaults. Steps, batch and data are those of a
/// machine of one's own; the paper's are in the comments.
package enum Preset {
  package static let names = recipes.map(\.name)

  /// Applies the preset `name`.
  package static func apply(
    _ name: String, to settings: inout TrainingSettings
  ) throws(TrainingError) {
    guard let recipe = recipes.first(where: { $0.name == name }) else {
      throw TrainingError(.unknownPreset(name, known: names))
    }
    try TrainingRecipe.apply(text: recipe.text, to: &settings)
  }

  private static let recipes: [(name: String, text: String)] = [
    // First phase of two, and the optimizers' comparison: 25,000 steps of 1.05M tokens.
    (
      "healing",
      """
      recurrence: {mean: {shape: linear, end: 32, ramp: 0.25}}
      optimizer: {kind: muon}
      schedule: {shape: wsd, warmup: 0.005, cooldown: 0.9}
      """
    ),
    // Second phase, restarted from the healed package: 25,000 steps of 1.05M tokens.
    (
      "task",
      """
      recurrence: {mean: {shape: linear, end: 4, ramp: 0.25}}
      optimizer: {kind: muon}
      schedule: {shape: wsd, warmup: 0.005, cooldown: 0.9}
      """
    ),
    // The same data without a healing phase before it: 25,000 steps of 1.05M tokens. In the paper's
    // comparison it differs from the second phase by what it starts from alone.
    (
      "single",
      """
      recurrence: {mean: {shape: linear, end: 4, ramp: 0.25}}
      optimizer: {kind: muon}
      schedule: {shape: wsd, warmup: 0.005, cooldown: 0.9}
      """
    ),
    // Mathematics without a healing phase: 50,000 steps of 1.05M tokens, r̄ of 4, 8, 16 or 32.
    (
      "math",
      """
      recurrence: {mean: {shape: 1-sqrt, end: 32, ramp: 0.75}}
      optimizer: {kind: muon}
      schedule: {shape: wsd, warmup: 0.0025, cooldown: 0.6}
      """
    ),
    // The source model itself on the mathematics: compare at equal FLOPs. The static runs beside
    // the two phases and the single one are those presets, on the source model.
    (
      "static",
      """
      optimizer: {kind: muon}
      schedule: {shape: wsd, warmup: 0.0025, cooldown: 0.6}
      """
    ),
    // Factors alone, cheap enough for small machines; not of the paper.
    (
      "lora",
      """
      mode: lora
      recurrence: {mean: {shape: linear, end: 4, ramp: 0.25}}
      optimizer: {kind: adamw, adam: {learning_rate: 0.0002}}
      schedule: {shape: wsd, warmup: 0.005, cooldown: 0.9}
      """
    ),
    // The curriculum's ablation: 25,000 steps of 0.52M tokens.
    (
      "adamw",
      """
      recurrence: {mean: {shape: linear, end: 32, ramp: 0.25}}
      optimizer: {kind: adamw}
      schedule: {shape: wsd, warmup: 0.005, cooldown: 0.0}
      """
    ),
  ]
}
