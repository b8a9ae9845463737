import ByteIO
import Checkpoint
import GGUF
import ModelGraph
import Models
import Tensors

extension GGUFOutput {
  /// A recurrent model as a GGUF file that `ckpt` alone reads: its tensors under their own names, and the
  /// files beside them as strings (rules GG-31 and GG-32).
  ///
  /// - Parameter type: Type of matrices; nil keeps the type of every tensor.
  init(package source: NamedTensors, _ graph: ModelGraph, as type: StorageType?) throws {
    var metadata: [(key: String, value: GGUFValue)] = [
      ("general.architecture", .string(PackedFiles.architecture)),
      ("general.type", .string("model")),
    ]
    func set(_ key: String, _ value: Int?) {
      guard let value = value.flatMap({ UInt32(exactly: $0) }) else { return }
      metadata.append(("\(PackedFiles.architecture).\(key)", .uint32(value)))
    }
    let body = graph.recurrence
    set("prelude_count", body?.prelude.count)
    set("core_count", body?.core.count)
    set("coda_count", body?.coda.count)
    set("mean_recurrence", body?.meanRecurrence)
    set("block_count", graph.blocks.count)
    set("embedding_length", graph.sizes.hidden)
    set("context_length", graph.sizes.context)
    set("vocab_size", graph.sizes.vocabulary)
    let files = source.checkpoint.sideFiles
    for name in PackedFiles.names {
      guard let region = files.first(where: { $0.name == name })?.region else { continue }
      let bytes = try region.contents(limit: 1 << 28)
      // A string of JSON or of Jinja; what is no UTF-8 would come back as something else.
      guard String(validating: bytes, as: UTF8.self) != nil else {
        throw CheckpointError(.badPackage("\(name) is not UTF-8"), path: source.checkpoint.path)
      }
      metadata.append((PackedFiles.key(of: name), .string(bytes)))
    }
    let tensors = source.parameters.map { parameter in
      GGUFExport.Tensor(
        parameter: parameter, shape: parameter.shape, isSingle: parameter.shape.count < 2)
    }
    try self.init(
      tensors, from: source.checkpoint, metadata: metadata, keeping: type == nil, as: type)
  }
}
