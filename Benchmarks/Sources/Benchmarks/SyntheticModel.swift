import Foundation

/// A Llama-shaped source model of random weights: what costs time is its shape.
struct SyntheticModel {
  let hidden: Int
  let intermediate: Int
  let layers: Int
  let heads: Int
  let keyValueHeads: Int
  let vocabulary: Int
  let isTied: Bool

  /// SmolLM2-135M.
  static let small = SyntheticModel(
    hidden: 576, intermediate: 1536, layers: 30, heads: 9, keyValueHeads: 3, vocabulary: 49152,
    isTied: true)
  /// TinyLlama-1.1B.
  static let large = SyntheticModel(
    hidden: 2048, intermediate: 5632, layers: 22, heads: 32, keyValueHeads: 4, vocabulary: 32000,
    isTied: false)

  var keyValueWidth: Int { hidden / heads * keyValueHeads }

  private var config: [String: Any] {
    [
      "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
      "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
      "num_attention_heads": heads, "num_key_value_heads": keyValueHeads,
      "vocab_size": vocabulary, "tie_word_embeddings": isTied, "max_position_embeddings": 2048,
      "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "attention_bias": false, "mlp_bias": false,
      "initializer_range": 0.02, "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2,
    ]
  }

  private var tensors: [(name: String, shape: [Int])] {
    var tensors = [("model.embed_tokens.weight", [vocabulary, hidden])]
    for layer in 0..<layers {
      let prefix = "model.layers.\(layer)."
      tensors += [
        ("input_layernorm.weight", [hidden]), ("self_attn.q_proj.weight", [hidden, hidden]),
        ("self_attn.k_proj.weight", [keyValueWidth, hidden]),
        ("self_attn.v_proj.weight", [keyValueWidth, hidden]),
        ("self_attn.o_proj.weight", [hidden, hidden]),
        ("post_attention_layernorm.weight", [hidden]),
        ("mlp.gate_proj.weight", [intermediate, hidden]),
        ("mlp.up_proj.weight", [intermediate, hidden]),
        ("mlp.down_proj.weight", [hidden, intermediate]),
      ].map { (prefix + $0.0, $0.1) }
    }
    tensors.append(("model.norm.weight", [hidden]))
    if !isTied { tensors.append(("lm_head.weight", [vocabulary, hidden])) }
    return tensors
  }

  /// Writes the model in bfloat16, unless the folder is there already.
  func write(to folder: String) throws {
    let file = folder + "/config.json"
    if FileManager.default.fileExists(atPath: file) { return }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var header: [String: Any] = [:]
    var end = 0
    for (name, shape) in tensors {
      let start = end
      end += 2 * shape.reduce(1, *)
      header[name] = ["dtype": "BF16", "shape": shape, "data_offsets": [start, end]]
    }
    var json = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
    json.append(Data(repeating: 0x20, count: (8 - json.count % 8) % 8))
    let weights = folder + "/model.safetensors"
    FileManager.default.createFile(atPath: weights, contents: nil)
    let output = try FileHandle(forWritingTo: URL(fileURLWithPath: weights))
    try output.write(contentsOf: withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) })
    try output.write(contentsOf: json)
    var random: UInt64 = 1
    for (_, shape) in tensors {
      let count = shape.reduce(1, *)
      try output.write(contentsOf: shape.count == 1 ? ones(count) : noise(count, &random))
    }
    try output.close()
    // Last: a folder that has it is complete.
    try JSONSerialization.data(withJSONObject: config).write(to: URL(fileURLWithPath: file))
  }

  private func ones(_ count: Int) -> Data {
    [UInt16](repeating: 0x3F80, count: count).withUnsafeBytes { Data($0) }
  }

  /// Values of either sign with magnitudes from 1/128 to 1/32.
  private func noise(_ count: Int, _ state: inout UInt64) -> Data {
    var values = [UInt16](repeating: 0, count: count)
    for i in values.indices {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let bits = UInt16(truncatingIfNeeded: state >> 48)
      values[i] = bits & 0x8000 | 0x3C00 + bits & 0xFF
    }
    return values.withUnsafeBytes { Data($0) }
  }
}
