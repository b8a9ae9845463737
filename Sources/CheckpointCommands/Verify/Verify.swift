import ArgumentParser
import ByteIO
import Checkpoint
import JSON
import Kernels
import ModelGraph
import RecurrentPackage
import Tensors
import Transformer
import Verification

/// `ckpt verify`: is this package exactly what it claims to be?
struct Verify: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Prove that a package is what it claims to be; the exit code is 1 when it is not.",
    discussion: """
      Checks the digests of every file and tensor, the copied tensors against the source's bytes, the \
      hidden states and logits at r = 1 against the source restricted to the selected layers, the \
      graph that ships against the formulas in float64, and the state for r = 1 to 64. Without \
      --source the numbers are compared with the package's own layers in a straight line.

      Example:
        ckpt verify smollm2-r --source SmolLM2-135M-Instruct.Q4_1.gguf
        ckpt verify smollm2-r --self-test
      """)

  @Argument(help: "Package: a folder or its tar.", completion: .file()) var package: String

  @Option(help: "The model that the package was made from.", completion: .file()) var source:
    String?

  @Option(help: "File with token ids to run on; a fixed list by default.", completion: .file())
  var tokens: String?

  @Option(
    help: "Compare logits at r = 1 with this model's, or with those in a trace.",
    completion: .file())
  var against: String?

  @Flag(help: "Also put known faults into a copy, and require that each is caught.")
  var selfTest = false

  @Option(
    help: "Also write the report as JSON to this file, such as PACKAGE/VERIFICATION.json.",
    completion: .file())
  var report: String?

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> VerifyReport {
    let opened = try RecurrentPackage.open(package)
    let graph = try ModelGraph.read(
      config: config(of: opened.checkpoint), tensors: opened.checkpoint.tensors)
    let verifier = try Verifier(
      package: opened, model: ReadableModel(graph: graph, source: opened.checkpoint),
      source: source.map { path in
        let model = try OpenedModel(path)
        return (
          ReadableModel(graph: model.graph, source: model.checkpoint), model.inputs
        )
      },
      tokens: probe(graph), workers: compute.workers())
    var checks = try verifier.run { note($0, to: console) }
    if let against { checks.append(try comparison(verifier, against)) }
    if selfTest { checks += try verifier.selfTest { note($0, to: console) } }
    let report = VerifyReport(path: package, root: "\(opened.manifest.root)", checks: checks)
    if let path = self.report {
      let value = document(
        command: VerifyReport.command, isOK: report.isOK, fields: report.json, warnings: [],
        errors: [])
      try writeFile(Array((value.text(indent: 2) + "\n").utf8), to: path, force: true)
    }
    return report
  }

  private func config(of checkpoint: Checkpoint) throws -> JSONObject {
    guard let config = checkpoint.config else { throw ModelError(package, .noConfig) }
    return config
  }

  private func note(_ check: Check, to console: Console) {
    if output.progress == .plain, !output.quiet {
      console.note("\(check.name) \(check.verdict.rawValue)")
    }
  }

  private func probe(_ graph: ModelGraph) throws -> ProbeTokens {
    guard let tokens else { return ProbeTokens(for: graph.sizes) }
    let text = try ByteRegion(path: tokens).contents(limit: 1 << 20)
    let ids = try Tokenize.ids(String(decoding: text, as: UTF8.self))
    guard !ids.isEmpty else { throw UsageError("\(tokens) holds no token ids") }
    return ProbeTokens(tokens: ids, sequences: 1)
  }

  /// Logits at r = 1 against another model's on the same tokens.
  private func comparison(_ verifier: Verifier, _ path: String) throws -> Check {
    let other = try OpenedModel(path)
    let batch = try Batch(
      tokens: verifier.tokens.tokens, sequences: verifier.tokens.sequences)
    func logits(_ model: ReadableModel) throws -> [Float] {
      let depth = model.graph.recurrence == nil ? nil : 1
      return try Model(model.graph, from: model.source, on: verifier.workers)
        .forward(batch, ForwardOptions(recurrence: depth)).logits?.floats ?? []
    }
    let theirs = try logits(ReadableModel(graph: other.graph, source: other.checkpoint))
    return Check(comparing: try logits(verifier.model), with: theirs, named: path, verifier.model)
  }
}
