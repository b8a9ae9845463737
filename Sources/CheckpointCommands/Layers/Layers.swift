import ArgumentParser
import ByteIO
import ModelGraph
import Models
import Recurrence
import Scoring
import Training
import Transformer
import Verification

/// `ckpt layers`: which layers of a source model matter, and which to make recurrent?
struct Layers: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Rank a model's layers by influence, and propose a selection.",
    discussion: """
      Runs a calibration text through the model. A layer's block influence is 1 - cos(x, y) and its \
      angular distance arccos(cos(x, y)) / π, where x is its input and y its output (before the final \
      norm for the last layer), both averaged over all positions. Rank 1 has the highest block \
      influence.

      The proposal takes the first layers as prelude and the last as coda, which the retrofitting \
      paper found best, and as core the layers in between with the highest block influence, in the \
      model's order; gaps are allowed. (The paper's own core is the layers just before the coda, which \
      `ckpt retrofit` takes when it is given counts alone.) Unless given, the counts are in proportion \
      to the paper's 4, 8 and 4 of 22 layers.

      With --loops, every block of layers is tried as a core as well: looped on the weights as they \
      are, each pass damped, no layer dropped, and ranked by the loss on the tokens that training \
      would learn (answers alone where the records have prompts). --heal retrofits and trains the \
      best of them, each for the same FLOPs, and ranks them anew.

      Example:
        ckpt layers TinyLlama-1.1B --data text.txt --prelude 4 --core 8 --coda 4
        ckpt layers TinyLlama-1.1B --data questions.jsonl --loops --recurrence 4
      """)

  @Argument(help: "Source model: folder or file, any format.", completion: .file()) var model:
    String

  @OptionGroup(title: mainOptions) var main: MainOptions

  @Option(help: "Tokens per window.") var sequenceLength = 256

  @Option(help: "At most this many windows.") var windows = 16

  @OptionGroup(title: "Loops") var loops: LoopOptions
  @OptionGroup var threading: ThreadOptions
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  /// The five options that matter first.
  struct MainOptions: ParsableArguments {
    @Option(help: "Calibration text: a file of text or records.", completion: .file())
    var data: String
    @Option(help: "Layers in the proposed prelude.") var prelude: Int?
    @Option(help: "Layers in the proposed core.") var core: Int?
    @Option(help: "Layers in the proposed coda.") var coda: Int?
    @Flag(help: "Try every block of layers as a core, looped on the weights as they are.")
    var loops = false
  }

  private var data: String { main.data }

  func validate() throws {
    guard main.loops || !loops.areGiven else {
      throw ValidationError("Loop options need --loops.")
    }
    guard (2...1 << 24).contains(sequenceLength) else {
      throw ValidationError("--sequence-length must be from 2 to 16777216.")
    }
    if windows < 1 { throw ValidationError("--windows must be at least 1.") }
    guard [0, 3].contains([main.prelude, main.core, main.coda].compactMap({ $0 }).count) else {
      throw ValidationError("--prelude, --core and --coda go together.")
    }
  }

  func perform(_ console: Console) throws -> LayersReport {
    let opened = try OpenedModel(model, ignoring: configuration.ignoring)
    guard opened.graph.recurrence == nil else { throw ModelError(model, .alreadyRecurrent) }
    let layers = opened.graph.blocks.count
    var counts = LayerSelection.counts(of: layers)
    if let prelude = main.prelude, let core = main.core, let coda = main.coda {
      counts = (prelude, core, coda)
    }
    // Before the model runs, which takes long.
    _ = try LayerSelection(
      prelude: counts.prelude, core: counts.core, coda: counts.coda, of: layers)
    let windows = try TokenWindows(
      data, by: opened.tokenizer(), length: sequenceLength, count: self.windows)
    guard !windows.windows.isEmpty else {
      throw UsageError(
        "\(data) has fewer than \(sequenceLength) tokens",
        hint: "give more text, or a smaller --sequence-length")
    }
    let model = try opened.load(on: threading.compute())
    var meter = InfluenceMeter(model)
    var progress = Progress(console, output, "layers", total: windows.windows.count)
    for window in windows.windows {
      try Interruption.check()
      try meter.add(Batch(tokens: window.tokens, sequences: 1))
      progress.advance()
    }
    progress.finish()
    let influences = meter.influences
    if let layer = influences.firstIndex(where: { !$0.blockInfluence.isFinite }) {
      throw TransformerError(.nonFiniteState(layer: layer))
    }
    let selection = try LayerSelection(
      prelude: counts.prelude, core: counts.core, coda: counts.coda,
      influence: influences.map(\.blockInfluence))
    return LayersReport(
      path: opened.path, data: data, windows: windows.windows.count,
      sequenceLength: sequenceLength, influences: influences, selection: selection,
      loops: try main.loops ? search(opened, model, windows, console) : nil)
  }

  private func search(
    _ opened: OpenedModel, _ model: Model, _ windows: TokenWindows, _ console: Console
  ) throws -> LoopReport {
    guard windows.windows.contains(where: { $0.labels.contains { $0 >= 0 } }) else {
      throw TransformerError(.noLabels)
    }
    let meter = StepMeter(console, output, SingleProcess())
    var report = try loops.search(opened, model, windows, threads: threading.threads, meter) {
      var progress = Progress(console, output, "loops", total: $0)
      return { progress.advance() }
    }
    report.hasColor = console.hasColor
    return report
  }
}
