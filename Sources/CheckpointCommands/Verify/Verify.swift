import ArgumentParser
import ByteIO
import Checkpoint
import JSON
import Kernels
import ModelGraph
import Models
import RecurrentPackage
import Reports
import Tensors
import Transformer
import Verification

/// `ckpt verify`: is this package exactly what it claims to be?
struct Verify: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Prove that a package is what it claims to be; the exit code is 1 when it is not.",
    discussion: """
      Checks the digests of every file and tensor; the copied tensors against the source's bytes, and \
      the cast, decoded and initialised ones against what they were computed from, byte for byte; the \
      hidden states and logits at r = 1 against the source restricted to the selected layers, bit for \
      bit; the package's graph against the formulas in float64; decoding with the cache against a \
      single pass; and the state for r = 1 to 64. Without --source, the numbers are compared with the \
      package's own layers, run one after another. A folder without a manifest, such as one saved by \
      transformers, gets the checks that need none.

      --stability also follows the state on a text up to r = 64: its steps, its spectral radius (the \
      largest eigenvalue of the derivative of one state by the one before, by power iteration) and the \
      loss at each r. It says whether the state settles, drifts or explodes, and at which r the loss is \
      safe.

      Example:
        ckpt verify smollm2-r --source SmolLM2-135M-Instruct.Q4_1.gguf
        ckpt verify smollm2-r --self-test
        ckpt verify run/package --stability heldout.txt
      """)

  @Argument(
    help: "Package: a folder or its tar; or a recurrent model's folder without a manifest.",
    completion: .file())
  var package: String

  @OptionGroup(title: mainOptions) var main: MainOptions

  @Option(
    help: "File to run on: token ids as text, or input_ids [B, S] as safetensors.",
    completion: .file())
  var tokens: String?

  @OptionGroup var stability: StabilityOptions

  @OptionGroup var force: ForceOption
  @OptionGroup var threading: ThreadOptions
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  /// The five options that matter first.
  struct MainOptions: ParsableArguments {
    @Option(help: "The model that the package was made from.", completion: .file())
    var source: String?

    @Flag(help: "Also put known faults into a copy, and require that each is caught.")
    var selfTest = false

    @Option(
      help: "File of text or records on which to follow the state to r = 64.", completion: .file())
    var stability: String?

    @Option(
      help: "Also write the report as JSON to this file, such as PACKAGE/VERIFICATION.json.",
      completion: .file())
    var report: String?

    @Option(
      help: """
        Compare the logits at r = 1 with those of this model, or of a safetensors file that was made \
        from --tokens.
        """, completion: .file())
    var against: String?
  }

  func validate() throws {
    if main.against?.hasSuffix(".safetensors") ?? false, tokens == nil {
      throw ValidationError("--against a file needs the --tokens that its logits belong to.")
    }
  }

  func perform(_ console: Console) throws -> VerifyReport {
    try refuseWrongPath(package)
    let proven = try hasManifest() ? RecurrentPackage.open(package) : nil
    let opened = try OpenedModel(package, ignoring: configuration.ignoring)
    let staged = try main.report.map {
      try requireOutsidePackages($0)
      return try StagedOutput(at: $0, isFolder: false, force: force.force, inputs: [], needed: 0)
    }
    let texts = try stability.texts(main.stability, opened)
    let verifier = try Verifier(
      package: proven, model: ReadableModel(graph: opened.graph, source: opened.checkpoint),
      source: main.source.map { path in
        let model = try OpenedModel(path, ignoring: configuration.ignoring)
        return (ReadableModel(graph: model.graph, source: model.checkpoint), model.inputs)
      },
      batch: tokens.map { try batch(at: $0, opened.graph) }, compute: try threading.compute())
    let total =
      Verifier.checkCount + (main.against == nil ? 0 : 1)
      + (main.selfTest ? Fault.allCases.count : 0)
    var progress = Progress(console, output, "verify", total: total)
    func note(_ check: Check) {
      progress.advance(note: "\(check.name) \(check.verdict.rawValue)")
    }
    var checks = try verifier.run(note)
    if let against = main.against {
      checks.append(
        try verifier.runsModel()
          ? comparison(verifier, against)
          : Check("against", .skipped, "weights are NaN or infinite; the model was not run"))
      checks.last.map(note)
    }
    if main.selfTest { checks += try verifier.selfTest(note) }
    progress.finish()
    var certificate: StabilityCertificate?
    if !texts.isEmpty {
      if try verifier.runsModel() {
        certificate = try measure(verifier, texts, console)
        certificate.map { checks.append($0.check) }
      } else {
        checks.append(
          Check("stability", .skipped, "weights are NaN or infinite; the model was not run"))
      }
    }
    let report = VerifyReport(
      path: package, root: proven.map { "\($0.manifest.root)" },
      canBePackage: !(opened.graph.recurrence?.meetsFinalNorm ?? false), checks: checks,
      stability: certificate,
      notes: proven == nil ? opened.checkpoint.warnings + opened.graph.notes : [],
      next: proven?.manifest.isTrained ?? true
        ? NextCommand.eval(package, mean: opened.graph.recurrence?.meanRecurrence)
        : NextCommand.train(package))
    let value = document(
      command: VerifyReport.command, isOK: report.isOK, fields: report.json,
      warnings: report.warnings, errors: [])
    try staged?.publish(Array((value.text(indent: 2) + "\n").utf8))
    return report
  }

  private func measure(
    _ verifier: Verifier, _ texts: [StabilityMeter.Text], _ console: Console
  ) throws -> StabilityCertificate {
    let meter = try StabilityMeter(verifier.loaded(), verifier.model)
    var progress = Progress(
      console, output, "stability", total: texts.count * meter.stepsPerText)
    let certificate = try meter.measure(texts) { progress.advance() }
    progress.finish()
    return certificate
  }

  /// Whether there is a manifest to hold the package to; only a folder can be without.
  private func hasManifest() throws(FileError) -> Bool {
    guard try pathKind(package) == .folder else { return true }
    return try pathKind(package + "/" + Manifest.name) != nil
  }

  private func batch(at path: String, _ graph: ModelGraph) throws -> Batch {
    if path.hasSuffix(".safetensors") {
      let inputs = try TraceInputs(ByteRegion(path: path), hidden: graph.sizes.hidden)
      return try Batch(tokens: inputs.tokens, sequences: inputs.sequences)
    }
    let text = try ByteRegion(path: path).contents(limit: 1 << 20)
    let ids = try Tokenize.ids(String(decoding: text, as: UTF8.self))
    guard !ids.isEmpty else { throw UsageError("\(path) holds no token ids") }
    return try Batch(tokens: ids, sequences: 1)
  }

  /// Logits at r = 1 against others of the same tokens.
  private func comparison(_ verifier: Verifier, _ path: String) throws -> Check {
    let vocabulary = verifier.model.graph.sizes.vocabulary
    let theirs =
      path.hasSuffix(".safetensors")
      ? try TraceInputs.logits(ByteRegion(path: path), of: verifier.batch, vocabulary)
      : try logits(OpenedModel(path).load(on: verifier.compute), verifier.batch)
    return Check(
      comparing: try logits(verifier.loaded(), verifier.batch), with: theirs, named: path,
      vocabulary: vocabulary)
  }

  private func logits(_ model: Model, _ batch: Batch) throws -> [Float] {
    let depth = model.graph.recurrence == nil ? nil : 1
    return try model.forward(batch, ForwardOptions(recurrence: depth)).logits?.floats ?? []
  }
}
