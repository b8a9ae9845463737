import ArgumentParser
import ByteIO
import ChatTemplates
import Kernels
import Training

/// Settings of a run that have a flag of their own, over the recipe's.
struct TrainChoices: ParsableArguments {
  /// The five options that matter first.
  struct MainOptions: ParsableArguments {
    @Option(
      name: [.short, .customLong("output")], help: "Run folder to write.", completion: .file())
    var outputPath: String?
    @Option(
      parsing: .upToNextOption,
      help: ArgumentHelp(
        """
        Files, folders or patterns of text, JSON, CSV, Parquet, Arrow or token ids; \
        FILE:WEIGHT mixes several.
        """, valueName: "file"), completion: .file())
    var data: [String] = []
    @Option(help: "Optimizer steps.") var steps: Int?
    @Option(help: "A recipe in YAML; options override what it says.", completion: .file())
    var recipe: String?
    @Option(
      help: """
        Settings of one of the paper's runs: healing, then task on its package (two phases); single, \
        math, static, adamw; or lora.
        """, completion: .list(Preset.names))
    var preset: String?
  }

  @OptionGroup(title: mainOptions) var main: MainOptions

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Any setting of a recipe, such as optimizer.clip=0.5; repeatable.", valueName: "key=value"),
    completion: .list(TrainingRecipe.assignments))
  var assignments: [String] = []

  @Option(help: "Sequences per step.") var batchSize: Int?
  @Option(help: "Sequences that run at once.") var microBatchSize: Int?
  @Option(help: "Tokens per sequence.") var sequenceLength: Int?
  @Option(help: "Recurrences in every micro-batch; drawn at random by default.")
  var recurrence: Int?
  @Option(help: "Mean number of recurrences at the end of the curriculum.") var meanRecurrence: Int?
  @Option(help: "Recurrences that training goes back through.") var backpropDepth: Int?
  @Option(help: "Optimizer.") var optimizer: OptimizerSettings.Kind?
  @Option(help: "Peak learning rate: of the matrices with Muon, else of all weights.")
  var learningRate: Double?
  @Option(help: "Warm-up, in steps (20) or as a share of the run (0.01).") var warmup: Extent?
  @Option(help: "Precision of matrix products.") var precision: Precision?
  @Option(
    help: ArgumentHelp(
      "Memory for the whole run, or auto; activations that do not fit are recomputed.",
      valueName: "bytes"), completion: .list(["auto"]))
  var memoryBudget: MemoryBudget?
  @Option(help: "What to train: all weights, the adapter alone, or low-rank factors.") var mode:
    TrainingSettings.Mode?
  @Option(help: "Rank of the factors in mode lora.") var loraRank: Int?
  @Option(
    help: ArgumentHelp(
      "Model whose predictions are learned along with the text.", valueName: "model"),
    completion: .file())
  var teacher: String?
  @Option(
    help: ArgumentHelp("Date that the chat template writes.", valueName: "yyyy-mm-dd"))
  var date: TemplateDate?
  @Option(help: "Seed for everything random.") var seed: UInt64?
  @Option(help: "Steps between evaluations on held-out rows; with 0, at start and end only.")
  var evalEvery: Int?
  @Option(help: "Recurrences at which held-out rows are evaluated, such as 1,2,4,8.")
  var evalRecurrence: RecurrenceList?
  @Option(
    help: ArgumentHelp(
      "Records that each evaluation scores: how many are answered exactly, and how likely the answers are.",
      valueName: "file"), completion: .file())
  var evalQuestions: String?
  @Option(help: "Steps between checkpoints; there is one every ten minutes in any case.")
  var checkpointEvery: Int?
  @Flag(help: "Leave bad records out, and count them.") var skipBadRecords = false

  /// `settings` with the preset, the recipe and the flags applied, in this order.
  func applied(to settings: TrainingSettings) throws -> TrainingSettings {
    var settings = settings
    if let preset = main.preset { try Preset.apply(preset, to: &settings) }
    if let recipe = main.recipe { try TrainingRecipe.apply(recipe, to: &settings) }
    for (key, value) in values {
      if let value { try TrainingRecipe.set(key, to: value, in: &settings) }
    }
    if let learningRate {
      let key = settings.optimizer.kind == .muon ? "muon" : "adam"
      try TrainingRecipe.set(
        "optimizer.\(key).learning_rate", to: "\(learningRate)", in: &settings)
    }
    if let evalRecurrence { settings.evaluation.recurrences = evalRecurrence.values }
    for assignment in assignments {
      guard let equals = assignment.firstIndex(of: "=") else {
        throw UsageError("\"\(assignment)\" is not a setting", hint: "write --set key=value")
      }
      try TrainingRecipe.set(
        String(assignment[..<equals]), to: String(assignment[assignment.index(after: equals)...]),
        in: &settings)
    }
    if !main.data.isEmpty { settings.data.sources = main.data }
    return settings
  }

  private var values: [(String, String?)] {
    func text(_ value: Int?) -> String? { value.map { "\($0)" } }
    return [
      ("steps", text(main.steps)), ("batch_size", text(batchSize)),
      ("micro_batch_size", text(microBatchSize)), ("sequence_length", text(sequenceLength)),
      ("recurrence.fixed", text(recurrence)), ("recurrence.mean.end", text(meanRecurrence)),
      ("recurrence.backprop_depth.end", text(backpropDepth)),
      ("optimizer.kind", optimizer?.rawValue),
      ("memory_budget", memoryBudget?.text), ("schedule.warmup", warmup?.text),
      ("precision", precision?.rawValue), ("mode", mode?.rawValue),
      ("data.date", date?.formatted("%F")),
      ("lora.rank", text(loraRank)), ("distillation.teacher", teacher),
      ("seed", seed.map { "\($0)" }), ("evaluation.every", text(evalEvery)),
      ("evaluation.questions", evalQuestions),
      ("checkpoints.every", text(checkpointEvery)),
      ("data.skip_bad_records", skipBadRecords ? "true" : nil),
    ]
  }
}

extension OptimizerSettings.Kind: ExpressibleByArgument {}
extension TrainingSettings.Mode: ExpressibleByArgument {}

extension Extent: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

/// `auto`, or a number of bytes.
struct MemoryBudget: ExpressibleByArgument {
  let text: String

  init?(argument: String) {
    guard argument == "auto" || byteCount(argument) != nil else { return nil }
    text = argument
  }
}
