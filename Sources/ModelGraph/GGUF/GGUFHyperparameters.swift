import ByteIO
import JSON
import Tensors

/// Reads the hyper-parameters of a GGUF file. Keys are those after the architecture's name.
struct GGUFHyperparameters {
  let dialect: GGUFDialect
  private var reader: ConfigReader
  private let tensors: [TensorRecord]
  /// Values of the small tensors that stand for hyper-parameters, by name.
  let constants: [String: [Float]]
  private(set) var headSize = 2

  init(
    dialect: GGUFDialect, metadata: JSONObject, tensors: [TensorRecord],
    constants: [String: [Float]]
  ) {
    self.dialect = dialect
    self.reader = ConfigReader(metadata)
    self.tensors = tensors
    self.constants = constants
  }

  var prefix: String { dialect.architecture + "." }

  mutating func config() throws(ModelGraphError) -> JSONObject {
    let family = dialect.family
    let hidden = try needed("embedding_length")
    let heads = try needed("attention.head_count")
    headSize = try extent("attention.key_length") ?? max(1, hidden / heads)
    let theta = try positive("rope.freq_base") ?? 10_000
    guard let epsilon = try positive("attention.layer_norm_rms_epsilon") else {
      throw reader.missing(prefix + "attention.layer_norm_rms_epsilon")
    }
    var config: JSONObject = [
      "architectures": [.string(family.className)],
      "model_type": .string(family.modelType), "hidden_act": "silu",
      "hidden_size": JSONValue(hidden),
      family.intermediateField: JSONValue(try needed("feed_forward_length")),
      "num_hidden_layers": JSONValue(try needed("block_count")),
      "num_attention_heads": JSONValue(heads),
      "num_key_value_heads": JSONValue(try keyValueHeads() ?? heads),
      "head_dim": JSONValue(headSize), "vocab_size": JSONValue(try vocabulary()),
      "max_position_embeddings": JSONValue(try needed("context_length")),
      "rms_norm_eps": JSONValue(epsilon), "rope_theta": JSONValue(theta),
      "tie_word_embeddings": .bool(!has(GGUFDialect.head)),
    ]
    try readDimensions(&config)
    config["rope_scaling"] = try GGUFRotary.scaling(
      &reader, prefix: prefix, factors: constants[GGUFDialect.rotaryFactors], theta: theta,
      headSize: headSize
    ).map(JSONValue.object)
    // Stated, since a field that is left out has its family's default.
    if family.fields["attention_bias"] != nil {
      config["attention_bias"] = .bool(has("blk.0.attn_q.bias"))
    }
    if family.fields["mlp_bias"] != nil {
      config["mlp_bias"] = .bool(has("blk.0.ffn_gate.bias"))
    }
    try dialect.facts.fields(&self, &config)
    for (name, key) in GGUFHyperparameters.specialTokens {
      if let id = try reader.value("tokenizer.ggml." + key)?.value.integer {
        config[name] = JSONValue(id)
      }
    }
    try checkUnread()
    return config
  }

  /// Names of the special tokens' ids in a configuration, and in GGUF after `tokenizer.ggml.`.
  static let specialTokens = [
    ("bos_token_id", "bos_token_id"), ("eos_token_id", "eos_token_id"),
    ("pad_token_id", "padding_token_id"), ("unk_token_id", "unknown_token_id"),
  ]

  private func has(_ name: String) -> Bool { tensors.contains { $0.name.string == name } }

  /// One number, or the same one for each layer.
  private mutating func keyValueHeads() throws(ModelGraphError) -> Int? {
    let key = "attention.head_count_kv"
    guard let list = try value(key)?.value.array else { return try extent(key) }
    guard let first = list.first?.integer, first > 0, first <= ConfigReader.largestExtent,
      list.allSatisfy({ $0.integer == first })
    else {
      throw ModelGraphError(
        .unsupportedField(prefix + key, value: JSONValue.array(list).text()))
    }
    return first
  }

  /// Refuses values of another width than keys, and heads of which a part is turned, where the family
  /// has none.
  private mutating func readDimensions(_ config: inout JSONObject) throws(ModelGraphError) {
    for key in ["attention.value_length", "rope.dimension_count"] {
      guard let other = try extent(key), other != headSize else { continue }
      guard key == "rope.dimension_count", dialect.family.turnsPartOfHeads, other < headSize else {
        throw ModelGraphError(.unsupportedField(prefix + key, value: String(other)))
      }
      config["partial_rotary_factor"] = JSONValue(Double(other) / Double(headSize))
    }
  }

  private mutating func vocabulary() throws(ModelGraphError) -> Int {
    let stated = try extent("vocab_size")
    let rows = tensors.first { $0.name.string == GGUFDialect.embedding }?.shape.first
    guard let count = rows ?? stated else { throw reader.missing(prefix + "vocab_size") }
    return count
  }

  /// A number of layers that the tensors can make up: lists are made as long.
  func checked(layers: Int) throws(ModelGraphError) -> Int {
    guard layers <= tensors.count else {
      throw ModelGraphError(
        .invalidValue(
          field: prefix + "block_count", value: String(layers),
          rule: "at most the number of tensors, \(tensors.count)"))
    }
    return layers
  }

  /// Refuses hyper-parameters that nobody read, unless they say nothing about the numbers.
  private func checkUnread() throws(ModelGraphError) {
    let inert = ["rope.scaling.finetuned", "tensor_data_layout"]
    for member in reader.config.members where member.key.hasPrefix(prefix) {
      let key = String(member.key.dropFirst(prefix.count))
      if reader.read.contains(member.key) || inert.contains(key) { continue }
      switch member.value {
      case .bool(let isCausal) where key == "attention.causal" && isCausal: continue
      case .bool(false) where key != "attention.causal": continue
      case .null, .string(""): continue
      case .number(let number) where number.double == 0: continue
      default: throw ModelGraphError(.unknownField(member.key, value: member.value.text()))
      }
    }
  }
}

// MARK: Typed values

extension GGUFHyperparameters {
  mutating func value(_ key: String) throws(ModelGraphError) -> ConfigReader.Field? {
    try reader.value(prefix + key)
  }

  mutating func extent(_ key: String) throws(ModelGraphError) -> Int? {
    try reader.extent(prefix + key)
  }

  /// An extent that must be stated.
  mutating func needed(_ key: String) throws(ModelGraphError) -> Int {
    guard let value = try extent(key) else { throw reader.missing(prefix + key) }
    return value
  }

  /// A number greater than zero; nil where it is not stated, or zero, which says the same.
  mutating func positive(_ key: String) throws(ModelGraphError) -> Double? {
    if try number(key) == 0 { return nil }
    return try reader.positive(prefix + key)
  }

  mutating func number(_ key: String) throws(ModelGraphError) -> Double? {
    try reader.number(prefix + key)
  }

  mutating func bool(_ key: String) throws(ModelGraphError) -> Bool? {
    try reader.bool(prefix + key)
  }

  /// Takes note of keys that say nothing about the numbers.
  mutating func pass(over keys: [String]) {
    for key in keys { reader.pass(over: prefix + key) }
  }
}
