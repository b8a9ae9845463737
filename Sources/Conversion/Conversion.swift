package import ByteIO
import Checkpoint
import GGUF
package import ModelGraph
package import Models
import Safetensors
package import Tensors
import TorchArchive

/// The same tensors in another format, type or division into files.
package struct Conversion {
  /// What is written.
  package enum Target: String, CaseIterable, Sendable {
    /// A Hugging Face folder.
    case folder
    /// One safetensors file.
    case safetensors
    /// One GGUF file.
    case gguf
    /// One PyTorch file.
    case torch
    /// A Hugging Face folder whose weights are PyTorch files.
    case torchFolder = "torch-folder"

    package var isFolder: Bool { self == .folder || self == .torchFolder }
  }

  /// One file that was written.
  package struct File {
    package var name: String
    package var byteCount: Int
    package var digest: Digest

    init(name: String, _ written: WrittenFile) {
      self.name = name
      byteCount = written.byteCount
      digest = written.digest
    }
  }

  /// What was written.
  package struct Result {
    package var tensors: Int
    package var files: [File]
    package var warnings: [Warning]
  }

  package var target: Target
  /// Type of all floating-point tensors; nil keeps theirs.
  package var type: StorageType?
  /// Most bytes of tensors in one file of a folder.
  package var shardLimit: Int?
  package var allowOverflow = false
  /// Whether what is at the destination may be replaced.
  package var force = false
  /// Fields of the configuration that the user says have no effect.
  package var ignored: Set<String> = []

  package init(to target: Target, as type: StorageType?) {
    self.target = target
    self.type = type
  }

  /// Writes `parameters`, which are all of `source` or some of them, to `destination`, whole or not at all.
  ///
  /// - Parameter progress: Called with the bytes of tensors written so far, and of all.
  package func write(
    _ parameters: [Parameter], of source: NamedTensors, to destination: String,
    progress: @escaping (Int, Int) -> Void
  ) throws -> Result {
    let inputs = try source.checkpoint.inputs.map { try OpenFile($0) }
    let job = Job(conversion: self, source: source, destination: destination, progress: progress)
    let (staged, result) =
      switch target {
      case .gguf: try job.writeGGUF()
      case .folder, .safetensors: try job.writeSafetensors(parameters)
      case .torch, .torchFolder: try job.writeTorch(parameters)
      }
    for input in inputs { try input.requireUnchanged() }
    try staged.publish()
    return result
  }

  var elementType: ElementType? {
    if case .element(let type)? = type { type } else { nil }
  }
}

/// One conversion under way: what is staged is published when all checks have passed.
private struct Job {
  let conversion: Conversion
  let source: NamedTensors
  let destination: String
  let progress: (Int, Int) -> Void

  typealias Staged = (staged: StagedOutput, result: Conversion.Result)

  func writeGGUF() throws -> Staged {
    guard let graph = try source.graph(ignoring: conversion.ignored) else {
      throw try source.checkpoint.knownObstacle()
        ?? ModelError(source.checkpoint.path, .noConfig)
    }
    if graph.recurrence != nil {
      return try write(
        GGUFOutput(package: source, graph, as: conversion.type),
        warnings: hasTokenizer ? [] : [noTokenizer])
    }
    let tokenizer = try source.checkpoint.tokenizerMetadata(
      rows: graph.embedding.shape.first ?? 0)
    return try write(
      GGUFOutput(graph, from: source.checkpoint, as: conversion.type, tokenizer: tokenizer.entries),
      warnings: tokenizer.warnings + (tokenizer.entries.isEmpty ? [noTokenizer] : []))
  }

  private func write(_ file: GGUFOutput, warnings: [Warning]) throws -> Staged {
    let staged = try stage(needed: file.layout.byteCount)
    let written = try file.write(
      to: staged.temporary, allowOverflow: conversion.allowOverflow, progress: progress)
    return (
      staged,
      Conversion.Result(
        tensors: file.layout.entries.count,
        files: [Conversion.File(name: destination, written)],
        warnings: file.warnings + warnings)
    )
  }

  func writeSafetensors(_ parameters: [Parameter]) throws -> Staged {
    var tensors = WantedTensors(parameters, of: source)
    tensors.separateTies()
    return try write(
      WeightOutput<SafetensorsWriter>(
        tensors, limit: conversion.shardLimit, isFolder: conversion.target.isFolder,
        type: conversion.elementType),
      tensors)
  }

  func writeTorch(_ parameters: [Parameter]) throws -> Staged {
    let tensors = WantedTensors(parameters, of: source)
    return try write(
      WeightOutput<TorchWriter>(
        tensors, limit: conversion.shardLimit, isFolder: conversion.target.isFolder,
        type: conversion.elementType),
      tensors)
  }

  private func write<Writer: ~Copyable>(
    _ output: WeightOutput<Writer>, _ tensors: WantedTensors
  ) throws -> Staged {
    let staged = try stage(needed: output.byteCount)
    let files = try output.write(
      to: staged, allowOverflow: conversion.allowOverflow, progress: progress)
    return (
      staged,
      Conversion.Result(
        tensors: tensors.parameters.count, files: files,
        warnings: tensors.warnings + (isComplete ? [] : [noTokenizer]))
    )
  }

  private var noTokenizer: Warning {
    Warning("convert.no_tokenizer", "no tokenizer is written", file: destination)
  }

  /// Whether a folder that is written has a tokenizer; of a file, nobody expects one.
  private var isComplete: Bool {
    !conversion.target.isFolder || hasTokenizer
  }

  private var hasTokenizer: Bool {
    source.checkpoint.sideFiles.contains { $0.name.hasPrefix("tokenizer") }
  }

  private func stage(needed: Int) throws(FileError) -> StagedOutput {
    try StagedOutput(
      at: destination, isFolder: conversion.target.isFolder, force: conversion.force,
      inputs: [source.checkpoint.path] + source.checkpoint.inputs, needed: needed)
  }
}
