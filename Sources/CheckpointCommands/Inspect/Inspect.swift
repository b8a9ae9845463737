import ArgumentParser
import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Models
import Tensors

/// `ckpt inspect`: what is in this checkpoint, or in this file of data?
struct Inspect: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Show what is in a checkpoint, or in a file of training data.",
    discussion: """
      MODEL is anything that holds weights: a Hugging Face folder, a .safetensors, .bin, .pt, .pth \
      or .gguf file, or a package. Only headers are read, so the size makes no difference. Of training \
      data (Parquet, Arrow, JSON, CSV, token ids), it shows columns, rows and the first records.

      Example:
        ckpt inspect SmolLM2-135M
        ckpt inspect model.safetensors --tensor lm_head.weight --stats
        ckpt inspect pytorch_model.bin --globals --json
        ckpt inspect train-00000-of-00002.parquet
      """)

  @Argument(help: "File or folder.", completion: .file()) var model: String

  @Flag(help: "List every tensor, instead of one line for all layers.")
  var full = false

  @Option(help: "Show only the tensor with this name.")
  var tensor: String?

  @Flag(help: "With --tensor: read its values and show their statistics.")
  var stats = false

  @Flag(help: "Also read all data, and look for NaN, infinities and wrong checksums.")
  var check = false

  @Flag(help: "List what a PyTorch pickle refers to, by severity.")
  var globals = false

  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if stats && tensor == nil { throw ValidationError("--stats needs --tensor NAME.") }
  }

  func perform(_ console: Console) throws -> InspectOutcome {
    if let report = try DataReport(at: model) {
      guard tensor == nil, !full, !check, !globals else {
        throw UsageError(
          "\(model) is training data, which has no tensors", hint: "pass the file alone")
      }
      return .data(report)
    }
    return .checkpoint(try inspect())
  }

  private func inspect() throws -> InspectReport {
    let checkpoint = try Checkpoint.opening(model)
    var report = InspectReport(
      checkpoint: checkpoint, isFull: full, ignoring: configuration.ignoring)
    if let tensor {
      guard let record = checkpoint.record(TensorName(tensor)) else {
        throw UsageError(
          "\(model) has no tensor named \(tensor)",
          hint: "list the names with `ckpt inspect \(model) --full`")
      }
      report.only = record
      if stats { report.statistics = try TensorStatistics(of: record, in: checkpoint) }
    }
    if globals { report.globals = checkpoint.pickleGlobals }
    if check {
      try checkpoint.verifyChecksums()
      report.dataFaults = try dataFaults(checkpoint)
    }
    return report
  }

  /// Every tensor with values that are no numbers.
  private func dataFaults(_ checkpoint: Checkpoint) throws -> [DataFault] {
    var faults: [DataFault] = []
    for record in checkpoint.tensors where record.type.isReal {
      try Interruption.check()
      let statistics = try TensorStatistics(of: record, in: checkpoint)
      if !statistics.isFinite {
        faults.append(
          DataFault(
            tensor: record.name, notANumberCount: statistics.notANumberCount,
            infinityCount: statistics.infinityCount))
      }
    }
    return faults
  }
}

/// A tensor whose values would poison a model.
struct DataFault: Equatable {
  var tensor: TensorName
  var notANumberCount: Int
  var infinityCount: Int
}

extension StorageType {
  /// Whether the elements stand for real numbers that may be NaN or infinite.
  fileprivate var isReal: Bool {
    switch self {
    case .element(let type): type.isFloatingPoint
    case .block: true
    }
  }
}
