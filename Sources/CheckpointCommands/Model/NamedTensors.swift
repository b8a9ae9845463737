import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Tensors

/// A checkpoint in the terms of a Hugging Face folder, whatever its format calls things.
struct NamedTensors {
  let checkpoint: Checkpoint
  /// What `config.json` says, or would say; nil when nothing says it.
  let config: JSONObject?
  let parameters: [Parameter]
  let reader: RecipeReader

  /// Translates a GGUF file's names, row order and hyper-parameters; takes the rest as it is.
  ///
  /// Throws when the GGUF file's architecture is not understood.
  init(_ checkpoint: Checkpoint) throws {
    self.checkpoint = checkpoint
    reader = RecipeReader(checkpoint)
    guard checkpoint.format == .gguf, checkpoint.config == nil,
      let metadata = checkpoint.metadata, !checkpoint.tensors.isEmpty
    else {
      config = checkpoint.config
      parameters = checkpoint.tensors.map { Parameter(stored: $0) }
      return
    }
    let translation = try GGUFTranslation(metadata: metadata, tensors: checkpoint.tensors) {
      guard let record = checkpoint.record($0) else { return [] }
      var values = [Float](repeating: 0, count: record.elementCount)
      var span = values.mutableSpan
      try checkpoint.readFloats($0, elements: 0..<record.elementCount, into: &span)
      return values
    }
    config = translation.config
    parameters = translation.parameters
  }

  /// The model that the tensors make; nil without a config.
  func graph() throws -> ModelGraph? {
    try config.map { try ModelGraph.read(config: $0, parameters: parameters) }
  }

  /// How the bytes behind `parameter` are stored: blocks too, where its own type is that of the
  /// decoded values.
  func storedType(_ parameter: Parameter) -> StorageType {
    guard case .rows(let rows) = parameter.recipe.content, let tensor = rows.first?.tensor,
      let record = checkpoint.record(tensor)
    else { return .element(parameter.type) }
    return record.type
  }
}
