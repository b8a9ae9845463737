import ByteIO
package import Checkpoint
package import JSON
package import ModelGraph
package import Tensors

/// A checkpoint in the terms of a Hugging Face folder, whatever its format calls things.
package struct NamedTensors {
  package let checkpoint: Checkpoint
  /// What `config.json` says, or would say; nil when nothing says it.
  package let config: JSONObject?
  package let parameters: [Parameter]
  package let reader: RecipeReader

  /// Translates a GGUF file's names, row order and hyper-parameters; takes the rest as it is.
  ///
  /// Throws when tensors hold codes that are not decoded, and when a GGUF file's architecture is not understood.
  package init(_ checkpoint: Checkpoint) throws {
    self.checkpoint = checkpoint
    if let found = checkpoint.quantisation { throw ModelError(checkpoint.path, .quantised(found)) }
    reader = RecipeReader(checkpoint)
    guard checkpoint.format == .gguf, checkpoint.config == nil,
      let metadata = checkpoint.metadata, !checkpoint.tensors.isEmpty
    else {
      config = checkpoint.config
      parameters = checkpoint.tensors.map { Parameter(stored: $0) }
      return
    }
    let translation = try Self.naming(checkpoint) {
      try GGUFTranslation(metadata: metadata, tensors: checkpoint.tensors) {
        guard let record = checkpoint.record($0) else { return [] }
        var values = [Float](repeating: 0, count: record.elementCount)
        var span = values.mutableSpan
        try checkpoint.readFloats($0, elements: 0..<record.elementCount, into: &span)
        return values
      }
    }
    config = translation.config
    parameters = translation.parameters
  }

  /// The model that the tensors make; nil without a config.
  ///
  /// - Parameter ignored: Fields of the configuration that the user says have no effect.
  package func graph(ignoring ignored: Set<String> = []) throws -> ModelGraph? {
    guard let config else { return nil }
    var graph = try Self.naming(checkpoint) {
      try ModelGraph.read(config: config, parameters: parameters, ignoring: ignored)
    }
    if graph.saysTied, let head = graph.head {
      graph.resolveTiedHead(isEmbedding: try hold(head, the: graph.embedding))
    }
    return graph
  }

  /// Runs `body`, and puts the path of the configuration into its errors.
  private static func naming<Result>(_ checkpoint: Checkpoint, _ body: () throws -> Result) throws
    -> Result
  {
    do { return try body() } catch var error as ModelGraphError {
      let file = checkpoint.sideFiles.first { $0.name == "config.json" }?.region.path
      error.configurationFile = file ?? checkpoint.inputs.first
      throw error
    }
  }

  /// Whether two tensors hold the same values.
  private func hold(_ a: Parameter, the b: Parameter) throws -> Bool {
    guard a.shape == b.shape, let rows = a.shape.first, rows > 0 else { return false }
    let width = a.elementCount / rows
    let height = max(1, (1 << 18) / max(1, width))
    for start in stride(from: 0, to: rows, by: height) {
      let part = start..<min(start + height, rows)
      var values = [[Float]](
        repeating: [Float](repeating: 0, count: part.count * width), count: 2)
      for (i, parameter) in [a, b].enumerated() {
        var span = values[i].mutableSpan
        try reader.readFloats(parameter.recipe, shape: parameter.shape, rows: part, into: &span)
      }
      if !zip(values[0], values[1]).allSatisfy({ $0.bitPattern == $1.bitPattern }) { return false }
    }
    return true
  }

  /// How the bytes behind `parameter` are stored: blocks too, where its own type is that of the
  /// decoded values.
  package func storedType(_ parameter: Parameter) -> StorageType {
    guard case .rows(let rows) = parameter.recipe.content, let tensor = rows.first?.tensor,
      let record = checkpoint.record(tensor)
    else { return .element(parameter.type) }
    return record.type
  }
}
