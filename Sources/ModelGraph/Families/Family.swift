import ByteIO
import JSON

/// A model family as data: what its configuration says of each block, and what its tensors are
/// called. Nothing else in the program knows a family's name.
struct Family: Sendable {
  /// The configuration's `model_type`.
  var modelType: String
  /// The class that transformers loads such a model with.
  var className: String
  /// How GGUF files have the family; nil where llama.cpp has no such architecture.
  var gguf: GGUFFamily?
  /// Tensor names inside a layer, after `layers.N.`, that differ from those of `RoleFacts`.
  var names: [BlockRole: String] = [:]
  /// Roles that are one tensor each, and not one for each of their parts.
  var fused: Set<BlockRole> = []
  /// The field that has the MLP's width.
  var intermediateField = "intermediate_size"
  /// The field that has the number of experts.
  var expertsField = "num_experts"
  /// Whether each kind of layer has a rotary embedding of its own.
  var hasRotaryByKind = false
  /// Whether its class turns a part of each head where the configuration says so. Of the others',
  /// transformers passes over the field, and other readers do not: it is refused.
  var turnsPartOfHeads = false
  /// Everything that the configuration may say.
  var fields: FieldRules
  /// Fields of its own that files in the dialect of the published retrofits have.
  var publishedFields: FieldRules = [:]
  /// The field that has the longest sequence's tokens, where it has another name.
  var contextField: String?
  /// Whether the state goes through the final norm before the coda.
  var normsLatent = false
  /// What is computed outside the blocks.
  var model: @Sendable (inout FamilyReader) throws(ModelGraphError) -> ModelSpec = {
    reader throws(ModelGraphError) in ModelSpec(finalNorm: NormSpec(epsilon: try reader.epsilon()))
  }
  /// What block `layer` computes.
  var block: @Sendable (inout FamilyReader, _ layer: Int) throws(ModelGraphError) -> BlockSpec
  /// How a model of the family recurs by itself; nil for those that do not.
  var recurrence: (@Sendable (inout FamilyReader) throws(ModelGraphError) -> RecurrenceSettings)?
  /// Lists with an element for each layer, which are written out from the blocks' specs: whatever
  /// rule made them before, layers that are dropped or moved break it.
  var layerLists: [String: @Sendable (BlockSpec) -> JSONValue] = [:]
  /// Other fields that depend on which layers there are, written out likewise.
  var layerFields: @Sendable ([BlockSpec]) -> JSONObject = { _ in [:] }

  /// The name of the tensor that plays `role`, after `layers.N.`.
  func name(_ role: BlockRole) -> String { names[role] ?? role.facts.native }
}

extension Family {
  /// Every source family.
  static let all: [Family] = [
    .llama, .mistral, .ministral, .olmo2, .olmo3, .qwen2, .qwen3, .smollm3, .gemma, .gemma2,
    .gemma3,
    .granite, .graniteHybrid, .phi3, .qwen3MoE, .olmoe, .mixtral, .ouro, .huginn,
  ]

  static func named(_ modelType: String) -> Family? { all.first { $0.modelType == modelType } }

  /// The family whose name is the most like `modelType`.
  static func nearest(to modelType: String) -> Family? {
    all.map { ($0, spellingDistance($0.modelType, modelType)) }.min { $0.1 < $1.1 }?.0
  }
}
