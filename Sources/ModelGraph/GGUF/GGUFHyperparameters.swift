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
    var config: JSONObject = [
      "architectures": [.string(dialect.family.className)],
      "model_type": .string(dialect.family.modelType), "hidden_act": "silu",
    ]
    for field in GGUFField.common + dialect.facts.fields { try field.read(&self, &config) }
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

  func has(_ name: String) -> Bool { tensors.contains { $0.name.string == name } }

  /// One number, or the same one for each layer.
  mutating func keyValueHeads() throws(ModelGraphError) -> Int? {
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

  /// Refuses values of another width than keys.
  mutating func readHeadSize() throws(ModelGraphError) -> Int {
    let share = try needed("embedding_length") / needed("attention.head_count")
    headSize = try extent("attention.key_length") ?? max(1, share)
    let key = "attention.value_length"
    if let other = try extent(key), other != headSize {
      throw ModelGraphError(.unsupportedField(prefix + key, value: String(other)))
    }
    return headSize
  }

  /// Refuses heads of which a part is turned, where the family has none.
  mutating func readTurnedPart(_ config: inout JSONObject) throws(ModelGraphError) {
    let key = "rope.dimension_count"
    guard let part = try extent(key), part != headSize else { return }
    guard dialect.family.turnsPartOfHeads, part < headSize else {
      throw ModelGraphError(.unsupportedField(prefix + key, value: String(part)))
    }
    config["partial_rotary_factor"] = JSONValue(Double(part) / Double(headSize))
  }

  mutating func readScaling(_ config: inout JSONObject) throws(ModelGraphError) {
    config["rope_scaling"] = try GGUFRotary.scaling(
      &reader, prefix: prefix, factors: constants[GGUFDialect.rotaryFactors],
      theta: config["rope_theta"]?.double ?? 10_000, headSize: headSize
    ).map(JSONValue.object)
  }

  mutating func vocabulary() throws(ModelGraphError) -> Int {
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

  /// A number greater than zero that must be stated.
  mutating func neededPositive(_ key: String) throws(ModelGraphError) -> Double {
    guard let value = try positive(key) else { throw reader.missing(prefix + key) }
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
