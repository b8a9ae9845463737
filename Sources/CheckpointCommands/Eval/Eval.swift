import ArgumentParser
import ByteIO
import JSON
import ModelGraph
import Tokenizers
import Transformer

/// `ckpt eval`: how well does the model predict a text, at each number of recurrences?
struct Eval: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Measure the loss on a text for a list of recurrences.",
    discussion: """
      The text's tokens are cut into consecutive windows, without BOS; the loss is the mean negative \
      log-likelihood in nats over the S - 1 targets of each window. States that start at random are \
      drawn anew for each of --seeds, which gives a standard error.

      Example:
        ckpt eval smollm2-r --data heldout.txt --recurrence 1,2,4,8 --windows 64
      """)

  @Argument(help: "Source model or package.", completion: .file()) var model: String

  @Option(help: "Text file.", completion: .file()) var data: String

  @Option(help: "Numbers of recurrences, such as 1,2,4,8; the model's own number by default.")
  var recurrence: RecurrenceList?

  @Option(help: "Tokens a window.") var sequenceLength = 256

  @Option(help: "Most windows; all of the text by default.") var windows: Int?

  @Option(help: "Windows that run together.") var batchSize = 4

  @Option(help: "Number of different start states to average over.") var seeds = 1

  @Option(help: "First seed of the start states.") var seed: UInt64 = 0

  @Option(help: "Write the curve of loss against recurrence to this SVG file.", completion: .file())
  var svg: String?

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if sequenceLength < 2 { throw ValidationError("--sequence-length is at least 2.") }
    if batchSize < 1 || seeds < 1 || windows ?? 1 < 1 {
      throw ValidationError("--batch-size, --seeds and --windows are at least 1.")
    }
  }

  func perform(_ console: Console) throws -> EvalReport {
    let opened = try OpenedModel(model)
    let windows = try TokenWindows(
      of: ByteRegion(path: data), by: opened.tokenizer(), length: sequenceLength,
      count: self.windows)
    guard !windows.windows.isEmpty else {
      throw UsageError(
        "\(data) has fewer than \(sequenceLength) tokens",
        hint: "give more text, or a smaller --sequence-length")
    }
    let depths: [Int?] =
      if let body = opened.graph.recurrence { recurrence?.values ?? [body.meanRecurrence] } else {
        [nil]
      }
    if recurrence != nil, opened.graph.recurrence == nil {
      throw ModelError(model, .notRecurrent)
    }
    let model = try opened.load(on: compute.workers())
    var report = EvalReport(path: opened.path, data: data, windows: windows)
    let total = depths.count * (opened.graph.isSeeded ? seeds : 1)
    var progress = Progress(console, output, "eval", total: total * windows.windows.count)
    for depth in depths {
      let sums = try (0..<(opened.graph.isSeeded ? seeds : 1)).map { index in
        try loss(model, windows, depth, seed: seed + UInt64(index), &progress)
      }
      report.results.append(EvalResult(recurrence: depth, sums: sums))
    }
    progress.finish()
    if let svg { try report.writeChart(to: svg) }
    return report
  }

  private func loss(
    _ model: Model, _ windows: TokenWindows, _ depth: Int?, seed: UInt64,
    _ progress: inout Progress
  ) throws -> LossSum {
    var sum = LossSum()
    for start in stride(from: 0, to: windows.windows.count, by: batchSize) {
      try Interruption.check()
      let part = windows.windows[start..<min(start + batchSize, windows.windows.count)]
      let batch = try Batch(tokens: Array(part.joined()), sequences: part.count)
      let labels = part.flatMap { $0.dropFirst() + [-100] }
      // A window's start state depends on its place in the batch: the seed sets batches apart.
      let options = ForwardOptions(
        recurrence: depth, state: .seeded(seed &+ UInt64(start) << 32))
      sum += try model.loss(batch, labels: labels, options)
      progress.advance(part.count)
    }
    return sum
  }
}
