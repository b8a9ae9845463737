import ByteIO
package import JSON
package import Tensors

/// A plain model in the terms of GGUF: the hyper-parameters, and the tensors under their names and
/// in their row order there.
package struct GGUFExport: Sendable {
  /// Keys and values without the tokenizer; numbers with a fraction or exponent are float32, others
  /// unsigned.
  package let metadata: JSONObject
  /// Tensors in file order. Vectors are float32, as readers of GGUF expect.
  package let parameters: [Parameter]
  /// Float32 tensors that come from no source: the factors of Llama 3.1's frequencies.
  package let constants: [Constant]

  package struct Constant: Equatable, Sendable {
    package var name: TensorName
    package var values: [Float]
  }

  /// - Throws: `ModelGraphError` for a recurrent model, which no reader of GGUF knows.
  package init(_ graph: ModelGraph) throws(ModelGraphError) {
    guard case .plain(let blocks) = graph.body else {
      throw ModelGraphError(.notInGGUF("a core that recurs"))
    }
    guard let dialect = GGUFDialect(modelType: graph.family) else {
      throw ModelGraphError(.notWrittenAsGGUF(graph.config["model_type"]?.string ?? graph.family))
    }
    var parameters = [Self.renamed(graph.embedding, GGUFDialect.embedding)]
    for (index, block) in blocks.enumerated() {
      for item in block.parameters {
        var parameter = Self.renamed(item.parameter, "blk.\(index).\(item.role.facts.gguf)")
        if dialect.isInterleaved(item.role) {
          parameter.recipe = try Self.interleaved(parameter, headSize: graph.sizes.headSize)
        }
        parameters.append(parameter)
      }
    }
    parameters.append(Self.renamed(graph.finalNorm, GGUFDialect.finalNorm))
    if let head = graph.head { parameters.append(Self.renamed(head, GGUFDialect.head)) }
    self.parameters = parameters
    let form = try Form(graph, blocks)
    constants = Self.constants(form, graph.sizes)
    metadata = Self.metadata(graph, form, dialect, layers: blocks.count)
  }

  private static func renamed(_ parameter: Parameter, _ name: String) -> Parameter {
    var result = parameter
    result.name = TensorName(name)
    if parameter.shape.count == 1 {
      result.type = .f32
      result.recipe.type = .f32
    }
    return result
  }

  /// The same rows in the order of interleaved RoPE.
  private static func interleaved(
    _ parameter: Parameter, headSize: Int
  ) throws(ModelGraphError) -> Recipe {
    guard case .rows(let parts) = parameter.recipe.content else { return parameter.recipe }
    var result: [RowSource] = []
    for part in parts {
      let isWhole = part.rows.lowerBound % headSize == 0 && part.rows.count % headSize == 0
      var part = part
      switch part.order {
      case .stored where isWhole: part.order = .interleaved(headSize: headSize)
      case .splitHalves(headSize) where isWhole: part.order = .stored
      default: throw ModelGraphError(.leftoverTensors([parameter.name.string]))
      }
      result.append(part)
    }
    return Recipe(.rows(result), as: parameter.recipe.type)
  }

  /// What the files' hyper-parameters have one value of, for all blocks together.
  private struct Form {
    let rotary: RotaryEmbedding
    let epsilon: Double

    /// - Throws: For blocks that differ, or compute what no hyper-parameter says.
    init(_ graph: ModelGraph, _ blocks: [Block]) throws(ModelGraphError) {
      guard let spec = blocks.first?.spec, let rotary = spec.attention.rotary else {
        throw ModelGraphError(.notInGGUF("a block without positions"))
      }
      guard blocks.allSatisfy({ $0.spec == spec }) else {
        throw ModelGraphError(.notInGGUF("blocks that differ from one another"))
      }
      guard spec.attention.visible == .all else {
        throw ModelGraphError(.notInGGUF("a window of attention"))
      }
      switch rotary.scaling {
      case .none, .linear, .llama3: break
      default: throw ModelGraphError(.notInGGUF("this scaling of the rotary embedding"))
      }
      guard spec.mlp.activation == .silu else {
        throw ModelGraphError(.notInGGUF("an activation other than SiLU in this family"))
      }
      self.rotary = rotary
      epsilon = graph.spec.finalNorm.epsilon
    }
  }

  private static func constants(_ form: Form, _ sizes: ModelSizes) -> [Constant] {
    guard case .llama3 = form.rotary.scaling else { return [] }
    let factors = GGUFRotary.factors(form.rotary, headSize: sizes.headSize)
    return [
      Constant(name: TensorName(GGUFDialect.rotaryFactors), values: factors.map { Float($0) })
    ]
  }

  private static func metadata(
    _ graph: ModelGraph, _ form: Form, _ dialect: GGUFDialect, layers: Int
  ) -> JSONObject {
    let sizes = graph.sizes
    var metadata: JSONObject = [
      "general.architecture": .string(dialect.architecture), "general.type": "model",
    ]
    func set(_ key: String, _ value: JSONValue) {
      metadata[dialect.architecture + "." + key] = value
    }
    set("block_count", JSONValue(layers))
    set("context_length", JSONValue(sizes.context))
    set("embedding_length", JSONValue(sizes.hidden))
    set("feed_forward_length", JSONValue(sizes.intermediate))
    set("attention.head_count", JSONValue(sizes.heads))
    set("attention.head_count_kv", JSONValue(sizes.keyValueHeads))
    set("attention.key_length", JSONValue(sizes.headSize))
    set("attention.value_length", JSONValue(sizes.headSize))
    set("attention.layer_norm_rms_epsilon", JSONValue(form.epsilon))
    set("rope.dimension_count", JSONValue(sizes.headSize))
    set("rope.freq_base", JSONValue(form.rotary.theta))
    set("vocab_size", JSONValue(sizes.vocabulary))
    if case .linear(let factor) = form.rotary.scaling {
      set("rope.scaling.type", "linear")
      set("rope.scaling.factor", JSONValue(factor))
    }
    if case .llama3(_, _, _, let context) = form.rotary.scaling {
      set("rope.scaling.original_context_length", JSONValue(context))
    }
    for (name, key) in GGUFHyperparameters.specialTokens {
      guard let value = graph.config[name] else { continue }
      // Several end tokens are a list in a configuration; GGUF has room for one.
      if let id = (value.array?.first ?? value).integer {
        metadata["tokenizer.ggml." + key] = JSONValue(id)
      }
    }
    return metadata
  }
}
