import ModelGraph

/// What transformers calls a family's model, and what its configuration can say.
struct FamilyClass {
  var name: String
  /// Whether query, key and value have biases, and nothing else, whatever the configuration says.
  var hasQueryKeyValueBias = false
  /// Whether `attention_bias` and `mlp_bias` are fields of it.
  var biasIsField = false
  /// Fields that switch off a sliding window, which no exported model has.
  var windowFields: [String] = []

  private static let all: [String: FamilyClass] = [
    "llama": FamilyClass(name: "LlamaForCausalLM", biasIsField: true),
    "mistral": FamilyClass(name: "MistralForCausalLM", windowFields: ["sliding_window"]),
    "olmo2": FamilyClass(name: "Olmo2ForCausalLM", biasIsField: true),
    "qwen2": FamilyClass(
      name: "Qwen2ForCausalLM", hasQueryKeyValueBias: true, windowFields: ["sliding_window"]),
    "qwen3": FamilyClass(
      name: "Qwen3ForCausalLM", biasIsField: true, windowFields: ["sliding_window"]),
  ]

  /// The class of `graph`'s family, which must have a place for its biases.
  static func of(_ graph: ModelGraph) throws(ExportError) -> FamilyClass {
    guard let found = all[graph.family] else {
      throw ExportError(.unknownFamily(graph.family))
    }
    let style = graph.style
    let isPlain = style.queryKeyValueBias == found.hasQueryKeyValueBias
    let isExpressible =
      found.biasIsField
      ? style.queryKeyValueBias == style.outputBias
      : isPlain && !style.outputBias && !style.mlpBias
    guard isExpressible else { throw ExportError(.biases(graph.family)) }
    return found
  }
}
