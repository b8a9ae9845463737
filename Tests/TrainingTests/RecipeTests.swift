import TestSupport
import Testing

@testable import Training

@Suite("Recipes")
struct RecipeTests {
  @Test("a printed recipe gives the same settings back")
  func roundTrip() throws {
    var settings = TrainingSettings()
    settings.steps = 77
    settings.memoryBudget = 5 << 30
    settings.data.sources = ["a b.jsonl:0.7", "weird \"name\".txt"]
    settings.data.fields.text = "- body"
    settings.recurrence.mean = Curriculum(.linear, from: 2, to: 16, over: .steps(40))
    settings.schedule.warmup = .share(1)
    settings.evaluation.recurrences = [1, 32]
    settings.optimizer.kind = .adamwAtan2
    settings.optimizer.adam.epsilon = 1e-7
    var back = TrainingSettings()
    try TrainingRecipe.apply(text: TrainingRecipe.text(of: settings), to: &back)
    #expect(back == settings)
  }

  @Test("a recipe changes what it names, and nothing else")
  func partial() throws {
    var settings = TrainingSettings()
    try TrainingRecipe.apply(
      text: "steps: 5\noptimizer: {kind: adamw}\nschedule:\n  warmup: 10\n", to: &settings)
    #expect(settings.steps == 5)
    #expect(settings.optimizer.kind == .adamw)
    #expect(settings.optimizer.adam.epsilon == 1e-8)
    #expect(settings.schedule.warmup == .steps(10))
    #expect(settings.batchSize == TrainingSettings().batchSize)
    try TrainingRecipe.apply(text: "", to: &settings)
    #expect(settings.steps == 5)
  }

  @Test("RF-2: unknown keys are errors with a suggestion, and the line")
  func unknown() throws {
    var settings = TrainingSettings()
    #expect(
      throws: TrainingError(
        .unknownKey("optimizer.muon.learnin_rate", suggestion: "optimizer.muon.learning_rate"),
        line: 4)
    ) {
      try TrainingRecipe.apply(
        text: "steps: 1\noptimizer:\n  muon:\n    learnin_rate: 1\n", to: &settings)
    }
    #expect(
      throws: TrainingError(.unknownKey("batchsize", suggestion: "batch_size"), line: 1)
    ) { try TrainingRecipe.apply(text: "batchsize: 3", to: &settings) }
    #expect(TrainingRecipe.suggestion(for: "optimizer.lr") == "optimizer.muon.learning_rate")
    #expect(TrainingRecipe.suggestion(for: "adam.lr") == "optimizer.adam.learning_rate")
    #expect(TrainingRecipe.suggestion(for: "num_train_epochs") == "data.epochs")
    #expect(throws: TrainingError(.unknownKey("zzzzzzzz", suggestion: nil), line: 1)) {
      try TrainingRecipe.apply(text: "zzzzzzzz: 3", to: &settings)
    }
  }

  @Test(
    "values out of range are errors",
    arguments: [
      "steps: 0", "steps: many", "memory_budget: lots", "optimizer: {kind: sgd}",
      "schedule: {warmup: 1.5}",
      "steps: [1]", "steps: {a: 1}", "evaluation: {recurrences: [0]}", "optimizer: {clip: -1}",
      "seed: -1", "data: {skip_bad_records: perhaps}", "steps: [", "just text", "- 1",
    ])
  func outOfRange(text: String) {
    var settings = TrainingSettings()
    #expect(throws: TrainingError.self) { try TrainingRecipe.apply(text: text, to: &settings) }
  }

  @Test("presets are the paper's runs", arguments: Preset.names)
  func presets(name: String) throws {
    var settings = TrainingSettings()
    try Preset.apply(name, to: &settings)
    var math = TrainingSettings()
    try Preset.apply("math", to: &math)
    #expect(math.sampler.mean(at: 37_500, of: 50_000) == 32)
    #expect(math.schedule.factor(at: 0, of: 50_000) == 0.001)
    #expect(math.schedule.factor(at: 19_999, of: 50_000) == 1)
    #expect(throws: TrainingError(.unknownPreset("x", known: Preset.names))) {
      try Preset.apply("x", to: &settings)
    }
  }
}
