import ArgumentParser
import ByteIO
import Charts
import ChatTemplates
import Checkpoint
import Generation
import JSON
import ModelGraph
import Models
import RecurrentPackage
import Reports
import Scoring
import Tokenizers
import Training
import Transformer

/// `ckpt eval`: how well does the model predict a text, or answer questions, at each number of
/// recurrences?
struct Eval: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Measure loss or accuracy for a list of recurrences.",
    discussion: """
      A text's tokens are cut into consecutive windows, without BOS; the loss is the mean negative \
      log-likelihood in nats over the S - 1 targets of each window. In records (JSON, CSV, \
      Parquet, Arrow), it reads the fields that training reads: "text", "messages", "prompt" and \
      "completion", …; documents do not see each other.

      Records with the fields question and answer are answered greedily, and the answers are \
      compared: by their last number, if the given answer is a number or marks one with ####, else as \
      text. With choices, the log-likelihoods of the choices are compared: acc by their sums, acc_norm \
      and acc_bytes by the sums divided by the choices' characters and bytes; answer is an index or a \
      label.

      With --task answers, documents are scored as training reads them, on the part that it learns, \
      such as a completion after its prompt: exact says whether greedy decoding would give all of it, \
      its end included; nats is its negative log-likelihood.

      With --exit, documents are scored token by token, and answers given, as in decoding; recurrences \
      tells how many a token took on average. A prompt that is to be answered makes all passes.

      With --cache-window, a text is scored token by token, as in decoding, with a cache that keeps the \
      keys and values of so many recurrences. That takes longer, and gives the loss beside the bytes per \
      token. A window of r or more changes nothing.

      A state that starts at random is drawn anew for each of --seeds, which gives a standard error.

      Example:
        ckpt eval smollm2-r --data heldout.txt --recurrence 1,2,4,8 --windows 64
        ckpt eval smollm2-r --data heldout.txt --recurrence 32 --cache-window 1,4,32
        ckpt eval smollm2-r --data gsm8k.jsonl --shots 5 --recurrence 1,4,16
        ckpt eval smollm2-r --data chains.jsonl --task answers --by steps
        ckpt eval smollm2-r --data chains.jsonl --task answers --exit latent:0.1,0.03
      """)

  @Argument(help: "Source model or package.", completion: .file()) var model: String

  @OptionGroup(title: mainOptions) var main: MainOptions

  @OptionGroup(title: "Questions") var questions: QuestionOptions

  @Option(help: "Numbers of recurrences whose keys and values are kept, such as 1,2,4.")
  var cacheWindow: RecurrenceList?

  @Option(
    help: ArgumentHelp(
      """
      Let each token of answers stop recurring early, by one of these limits at a time, such as \
      latent:0.1,0.03 or kl:1e-3,1e-4.
      """, valueName: "rule:limits"), completion: .list(["kl:", "latent:"]))
  var exit: ExitList?

  @Option(
    help: ArgumentHelp(
      "Date that the model's chat template writes into conversations.", valueName: "yyyy-mm-dd"))
  var date: TemplateDate?

  @Option(help: "Tokens per window.") var sequenceLength = 256

  @Option(help: "Windows, or questions answered in words, that run together.") var batchSize = 4

  @Option(help: "Number of different start states to average over.") var seeds = 1

  @Option(help: "First seed for the start states.") var seed: UInt64 = 0

  @OptionGroup var force: ForceOption
  @OptionGroup var threading: ThreadOptions
  @OptionGroup var computing: PrecisionOptions
  @OptionGroup var holding: WeightOptions
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  /// The five options that matter first.
  struct MainOptions: ParsableArguments {
    @Option(
      help: "File of text, or of records (compressed or not) with texts or questions.",
      completion: .file())
    var data: String

    @Option(help: "Numbers of recurrences, such as 1,2,4,8; the model's own number by default.")
    var recurrence: RecurrenceList?

    @Option(help: "What to measure; by default what the data's first record is made for.")
    var task: EvalTask?

    @Option(help: "At most this many windows; the whole text by default.") var windows: Int?

    @Option(help: "Write the curve over the recurrences to this SVG file.", completion: .file())
    var svg: String?
  }

  private var data: String { main.data }

  func validate() throws {
    guard (2...1 << 24).contains(sequenceLength) else {
      throw ValidationError("--sequence-length must be from 2 to 16777216.")
    }
    guard (1...1 << 20).contains(batchSize), (1...1 << 20).contains(seeds), main.windows ?? 1 >= 1
    else {
      throw ValidationError(
        "--batch-size and --seeds must be from 1 to 1048576, --windows at least 1.")
    }
    guard questions.by == nil || main.task != .loss else {
      throw ValidationError("--by tells questions apart, or documents with --task answers.")
    }
  }

  func perform(_ console: Console) throws -> EvalReport {
    let opened = try OpenedModel(model, ignoring: configuration.ignoring)
    let isAboutDepth = main.recurrence != nil || cacheWindow != nil || exit != nil
    if isAboutDepth, opened.graph.recurrence == nil {
      throw ModelError(model, .notRecurrent)
    }
    let chart = try main.svg.map { try file(at: $0) }
    let hasRecords = try DataSniffer(data).kind.isRecords
    let task =
      try main.task ?? (hasRecords ? EvalRecord.read(data, limit: 1).first?.task : nil) ?? .loss
    if task == .loss, questions.by != nil {
      throw UsageError(
        "--by cannot be combined with the loss of a text", hint: "pass --task answers")
    }
    if task != .loss, cacheWindow != nil {
      throw UsageError(
        "--cache-window is measured by the loss of a text",
        hint: "leave it out, or pass --task loss")
    }
    if exit != nil, task != .answers, task != .exactMatch {
      throw UsageError(
        "--exit is measured on answers, not by \(task.rawValue)",
        hint: "leave it out, or pass --task answers")
    }
    let results: EvalReport.Results =
      switch task {
      case .loss: .loss(try measureLoss(opened, console))
      case .answers: .scores(try scoreDocuments(opened, console))
      case .exactMatch, .multipleChoice: .scores(try score(task, opened, console))
      }
    var report = EvalReport(results, hasColor: console.hasColor)
    report.next = try next(opened, isText: task == .loss, best: report.bestRecurrence)
    try chart?.publish(Array(report.chart.svg().utf8))
    return report
  }

  /// A source is retrofitted, a package that was not trained yet is, and a trained one is put to use.
  private func next(_ opened: OpenedModel, isText: Bool, best: Int?) throws -> String? {
    guard let body = opened.graph.recurrence else {
      return isText
        ? NextCommand.layers(model, data: data) : NextCommand.retrofit(opened.graph, at: model)
    }
    let manifest = try opened.checkpoint.sideFiles.first { $0.name == Manifest.name }
      .map { try Manifest($0.region) }
    return manifest?.isTrained ?? true
      ? NextCommand.generate(model, recurrence: best ?? body.meanRecurrence)
      : NextCommand.train(model)
  }

  private func file(at path: String) throws -> StagedOutput {
    try StagedOutput(at: path, isFolder: false, force: force.force, inputs: [data], needed: 0)
  }

  /// The depths to run at; a single nil for a source model.
  private func depths(_ graph: ModelGraph) -> [Int?] {
    guard let body = graph.recurrence else { return [nil] }
    return main.recurrence?.values ?? [body.meanRecurrence]
  }

  /// The depths with each exit; a single nil where no token stops early.
  private func runs(_ graph: ModelGraph) -> [(depth: Int?, exit: ExitChoice?)] {
    let exits: [ExitChoice?] = exit?.choices ?? [nil]
    return depths(graph).flatMap { depth in exits.map { (depth, $0) } }
  }

  /// What the file of samples says of an answer.
  private func line(
    _ sample: JSONObject, _ depth: Int?, _ exit: ExitChoice?, _ seed: UInt64
  ) -> String {
    var sample = sample
    sample["recurrence"] = JSONValue(depth)
    if let exit { sample["exit"] = .string(exit.text) }
    sample["seed"] = .number(JSONNumber(text: "\(seed)"))
    return JSONValue.object(sample).text() + "\n"
  }

  /// A state that is not random needs one run only.
  private func stateSeeds(_ graph: ModelGraph) -> [UInt64] {
    (0..<(graph.isSeeded ? seeds : 1)).map { seed &+ UInt64($0) }
  }

  // MARK: Loss

  private func measureLoss(_ opened: OpenedModel, _ console: Console) throws -> LossReport {
    let tokenizer = try opened.tokenizer()
    let windows = try TokenWindows(
      data, by: tokenizer, length: sequenceLength, count: main.windows, date: date)
    guard windows.windows.contains(where: { $0.labels.contains { $0 >= 0 } }) else {
      // Windows of documents are made of whatever there is.
      if windows.areOfDocuments, !windows.windows.isEmpty {
        let count = windows.windows.count * sequenceLength
        throw TrainingError(.nothingLearned(tokens: count, heldOut: false), data)
      }
      throw UsageError(
        "\(data) has fewer than \(sequenceLength) tokens",
        hint: "give more text, or a smaller --sequence-length")
    }
    let scoring = LossScoring(
      try opened.load(on: computing.compute(threading), as: holding.weights), windows,
      batchSize: batchSize)
    let (depths, seeds) = (depths(opened.graph), stateSeeds(opened.graph))
    let kept: [Int?] = cacheWindow?.values ?? [nil]
    var report = LossReport(path: opened.path, data: data, windows: windows)
    var progress = Progress(
      console, output, "eval",
      total: depths.count * kept.count * seeds.count * windows.windows.count)
    for depth in depths {
      for kept in kept {
        report.results.append(
          try loss(scoring, depth, keeping: kept, seeds) { progress.advance($0) })
      }
    }
    progress.finish()
    return report
  }

  private func loss(
    _ scoring: LossScoring, _ depth: Int?, keeping kept: Int?, _ seeds: [UInt64],
    _ progress: (Int) -> Void
  ) throws -> LossResult {
    guard let kept else {
      return LossResult(
        recurrence: depth,
        sums: try seeds.map { try scoring.loss(depth: depth, seed: $0, progress) })
    }
    let decoder = try Decoder(
      scoring.model, sequences: min(batchSize, scoring.windows.windows.count), recurrence: depth,
      cacheWindow: kept)
    return LossResult(
      recurrence: depth, cache: (kept, decoder.bytesPerToken),
      sums: try seeds.map { try scoring.loss(over: decoder, seed: $0, progress) })
  }

  // MARK: Documents

  private func scoreDocuments(_ opened: OpenedModel, _ console: Console) throws -> ScoreReport {
    let documents = try DocumentScoring(
      data, for: opened, limit: questions.limit, batchSize: batchSize, date: date)
    var report = ScoreReport(
      path: opened.path, data: data, task: .answers, shots: 0, template: questions.template)
    if questions.by != nil {
      report.grouping = try grouping(EvalRecord.read(data, limit: documents.count))
    }
    let samples = try questions.samples.map { try file(at: $0) }
    let model = try opened.load(on: computing.compute(threading), as: holding.weights)
    let (runs, seeds) = (runs(opened.graph), stateSeeds(opened.graph))
    var progress = Progress(
      console, output, "eval", total: runs.count * seeds.count * documents.count)
    var lines = ""
    for (depth, exit) in runs {
      let decoder = try exit.map { _ in
        try Decoder(model, sequences: min(batchSize, documents.count), recurrence: depth)
      }
      let results = try seeds.map { seed in
        let scores: [[String: Double]]
        if let decoder, let exit {
          scores = try documents.scores(over: decoder, exit: exit.rule, seed: seed) {
            progress.advance($0)
          }
        } else {
          let options = ForwardOptions(recurrence: depth, state: .seeded(seed))
          scores = try documents.scores {
            progress.advance($0)
          } by: {
            try model.scores($0, labels: $1, options)
          }
        }
        for (index, score) in scores.enumerated() where samples != nil {
          var sample: JSONObject = ["document": JSONValue(index)]
          for measure in ["exact", "nats", "tokens", "recurrences"] {
            if let value = score[measure] { sample[measure] = JSONValue(value) }
          }
          lines += line(sample, depth, exit, seed)
        }
        return scores
      }
      report.results.append(ScoreResult(recurrence: depth, exit: exit?.text, scores: results))
    }
    progress.finish()
    try samples?.publish(Array(lines.utf8))
    return report
  }

  private func grouping(_ records: [EvalRecord]) throws -> ScoreReport.Grouping? {
    try questions.by.map { field in
      ScoreReport.Grouping(field, try records.map { try $0.group(field) })
    }
  }

  // MARK: Questions

  private func score(
    _ task: EvalTask, _ opened: OpenedModel, _ console: Console
  ) throws -> ScoreReport {
    let samples = try questions.samples.map { try file(at: $0) }
    let (records, prompts) = try questions.questions.prompts(data, task)
    let tokenizer = try opened.tokenizer()
    let context = opened.graph.contextLimit
    let scores: (Decoder, ExitRule?, (JSONObject) -> Void) throws -> [[String: Double]]
    if task == .multipleChoice {
      let choices = try ChoiceScoring(
        records, prompts: prompts, tokenizer: tokenizer, context: context)
      scores = { decoder, _, sample in try choices.scores(decoder, sample) }
    } else {
      scores = try AnswerScoring(
        records, prompts: prompts, tokenizer: tokenizer, match: questions.match,
        endings: Endings(texts: questions.stops, tokens: tokenizer.ends(opened.graph)),
        maxTokens: questions.maxTokens, context: context
      ).scores
    }
    let model = try opened.load(on: computing.compute(threading), as: holding.weights)
    let (runs, seeds) = (runs(opened.graph), stateSeeds(opened.graph))
    var report = ScoreReport(
      path: opened.path, data: data, task: task, shots: questions.shots,
      template: questions.template)
    report.grouping = try grouping(records)
    var progress = Progress(
      console, output, "eval", total: runs.count * seeds.count * records.count)
    var lines = ""
    for (depth, exit) in runs {
      let results = try seeds.map { seed in
        let decoder = try Decoder(
          model, sequences: min(batchSize, records.count), recurrence: depth, seed: seed)
        return try scores(decoder, exit?.rule) { sample in
          lines += line(sample, depth, exit, seed)
          progress.advance()
        }
      }
      report.results.append(ScoreResult(recurrence: depth, exit: exit?.text, scores: results))
    }
    progress.finish()
    try samples?.publish(Array(lines.utf8))
    return report
  }
}
