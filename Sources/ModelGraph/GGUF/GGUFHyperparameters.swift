import ByteIO
import JSON
import Tensors

/// Reads the hyper-parameters of a GGUF file.
struct GGUFHyperparameters {
  let dialect: GGUFDialect
  var reader: ConfigReader
  let tensors: [TensorRecord]
  private(set) var headSize = 2

  init(dialect: GGUFDialect, reader: ConfigReader, tensors: [TensorRecord]) {
    self.dialect = dialect
    self.reader = reader
    self.tensors = tensors
  }

  private var prefix: String { dialect.architecture + "." }

  mutating func config(rotaryFactors: [Float]?) throws(ModelGraphError) -> JSONObject {
    let hidden = try extent("embedding_length")
    let heads = try extent("attention.head_count")
    headSize = try self.headSize(hidden: hidden, heads: heads)
    let theta = try reader.positive(prefix + "rope.freq_base") ?? 10_000
    guard let epsilon = try reader.positive(prefix + "attention.layer_norm_rms_epsilon") else {
      throw reader.missing(prefix + "attention.layer_norm_rms_epsilon")
    }
    let window = try reader.extent(prefix + "attention.sliding_window")
    let family = window != nil && dialect.architecture == "llama" ? .mistral : dialect.family
    var config: JSONObject = [
      "architectures": [.string(family.className)],
      "model_type": .string(family.modelType), "hidden_act": "silu",
      "hidden_size": JSONValue(hidden),
      "intermediate_size": JSONValue(try extent("feed_forward_length")),
      "num_hidden_layers": JSONValue(try extent("block_count")),
      "num_attention_heads": JSONValue(heads),
      "num_key_value_heads": JSONValue(
        try reader.extent(prefix + "attention.head_count_kv") ?? heads),
      "head_dim": JSONValue(headSize), "vocab_size": JSONValue(try vocabulary()),
      "max_position_embeddings": JSONValue(try extent("context_length")),
      "rms_norm_eps": JSONValue(epsilon), "rope_theta": JSONValue(theta),
      "tie_word_embeddings": .bool(!has(GGUFDialect.head)),
    ]
    config["rope_scaling"] = try GGUFRotary.scaling(
      &reader, prefix: prefix, factors: rotaryFactors, theta: theta, headSize: headSize
    ).map(JSONValue.object)
    // Stated, since a field that is left out has its family's default.
    if family.fields["sliding_window"] != nil {
      config["sliding_window"] = window.map { JSONValue($0) } ?? .null
    }
    if family.fields["attention_bias"] != nil {
      config["attention_bias"] = .bool(has("blk.0.attn_q.bias"))
    }
    if family.fields["mlp_bias"] != nil {
      config["mlp_bias"] = .bool(has("blk.0.ffn_gate.bias"))
    }
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

  private mutating func extent(_ key: String) throws(ModelGraphError) -> Int {
    guard let value = try reader.extent(prefix + key) else { throw reader.missing(prefix + key) }
    return value
  }

  private func has(_ name: String) -> Bool { tensors.contains { $0.name.string == name } }

  private mutating func headSize(hidden: Int, heads: Int) throws(ModelGraphError) -> Int {
    let size = try reader.extent(prefix + "attention.key_length") ?? max(1, hidden / heads)
    for key in ["attention.value_length", "rope.dimension_count"] {
      guard let other = try reader.extent(prefix + key), other != size else { continue }
      throw ModelGraphError(.unsupportedField(prefix + key, value: String(other)))
    }
    return size
  }

  private mutating func vocabulary() throws(ModelGraphError) -> Int {
    let stated = try reader.extent(prefix + "vocab_size")
    let rows = tensors.first { $0.name.string == GGUFDialect.embedding }?.shape.first
    guard let count = rows ?? stated else { throw reader.missing(prefix + "vocab_size") }
    return count
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
