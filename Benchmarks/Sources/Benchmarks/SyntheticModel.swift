import Foundation

/// A Llama-shaped source model whose weights are made up: what costs time is its shape.
struct SyntheticModel {
  /// What the weights are.
  enum Values {
    /// Numbers of weights' size, from a generator with a fixed start; the norms are ones.
    case random
    /// Zeros that take no space on the disk.
    case holes
  }

  let hidden: Int
  let intermediate: Int
  let layers: Int
  let heads: Int
  let keyValueHeads: Int
  let vocabulary: Int
  let isTied: Bool
  var values = Values.random
  /// Weight files that the tensors are spread over.
  var shardCount = 1

  /// SmolLM2-135M.
  static let small = SyntheticModel(
    hidden: 576, intermediate: 1536, layers: 30, heads: 9, keyValueHeads: 3, vocabulary: 49152,
    isTied: true)
  /// TinyLlama-1.1B.
  static let large = SyntheticModel(
    hidden: 2048, intermediate: 5632, layers: 22, heads: 32, keyValueHeads: 4, vocabulary: 32000,
    isTied: false)
  /// 30 GB, more than this memory.
  static let huge = SyntheticModel(
    hidden: 5120, intermediate: 17_408, layers: 40, heads: 40, keyValueHeads: 8,
    vocabulary: 152_064, isTied: false, values: .holes)
  /// Llama 3 70B: 141 GB.
  static let sharded = SyntheticModel(
    hidden: 8192, intermediate: 28_672, layers: 80, heads: 64, keyValueHeads: 8,
    vocabulary: 128_256, isTied: false, values: .holes, shardCount: 29)

  var keyValueWidth: Int { hidden / heads * keyValueHeads }

  private typealias Tensor = (name: String, shape: [Int])

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

  private var tensors: [Tensor] {
    var tensors: [Tensor] = [("model.embed_tokens.weight", [vocabulary, hidden])]
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

  /// Makes the model in bfloat16 in a folder of `workspace`, unless it is there already; its path.
  func folder(in workspace: String) throws -> String {
    let folder = workspace + "/llama-\(hidden)"
    let file = folder + "/config.json"
    if FileManager.default.fileExists(atPath: file) { return folder }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var random: UInt64 = 1
    var map: [String: String] = [:]
    let all = tensors
    let perShard = (all.count + shardCount - 1) / shardCount
    for shard in 0..<shardCount {
      let name = shardCount == 1 ? "model.safetensors" : Self.name(shard, of: shardCount)
      let part = all.dropFirst(shard * perShard).prefix(perShard)
      for tensor in part { map[tensor.name] = name }
      try write(Array(part), to: folder + "/" + name, &random)
    }
    if shardCount > 1 {
      let size = all.reduce(0) { $0 + 2 * $1.shape.reduce(1, *) }
      let index: [String: Any] = ["metadata": ["total_size": size], "weight_map": map]
      try JSONSerialization.data(withJSONObject: index, options: .sortedKeys).write(
        to: URL(filePath: folder + "/model.safetensors.index.json"))
    }
    // Last: a folder that has it is complete.
    try JSONSerialization.data(withJSONObject: config).write(to: URL(filePath: file))
    return folder
  }

  private static func name(_ shard: Int, of count: Int) -> String {
    func padded(_ number: Int) -> String {
      String(repeating: "0", count: 5 - String(number).count) + String(number)
    }
    return "model-\(padded(shard + 1))-of-\(padded(count)).safetensors"
  }

  private func write(_ tensors: [Tensor], to path: String, _ random: inout UInt64) throws {
    var entries: [String: Any] = [:]
    var end = 0
    for (name, shape) in tensors {
      let start = end
      end += 2 * shape.reduce(1, *)
      entries[name] = ["dtype": "BF16", "shape": shape, "data_offsets": [start, end]]
    }
    let header = try safetensorsHeader(entries)
    _ = FileManager.default.createFile(atPath: path, contents: header)
    let output = try FileHandle(forWritingTo: URL(filePath: path))
    if values == .holes {
      try output.truncate(atOffset: UInt64(header.count + end))
    } else {
      try output.seekToEnd()
      for (_, shape) in tensors {
        try writeValues(shape.reduce(1, *), isNorm: shape.count == 1, to: output, &random)
      }
    }
    try output.close()
  }

  /// Ones, or values of either sign with magnitudes from 1/128 to 1/32, a piece at a time.
  private func writeValues(
    _ count: Int, isNorm: Bool, to output: FileHandle, _ state: inout UInt64
  ) throws {
    for first in stride(from: 0, to: count, by: 1 << 20) {
      var values = [UInt16](repeating: 0x3F80, count: min(1 << 20, count - first))
      if !isNorm {
        for i in values.indices {
          state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          let bits = UInt16(truncatingIfNeeded: state >> 48)
          values[i] = bits & 0x8000 | 0x3C00 + bits & 0xFF
        }
      }
      try values.withUnsafeBytes { try output.write(contentsOf: Data($0)) }
    }
  }
}

/// The start of a safetensors file, padded with spaces to a multiple of eight as its library does.
func safetensorsHeader(_ entries: [String: Any]) throws -> Data {
  var json = try JSONSerialization.data(withJSONObject: entries, options: .sortedKeys)
  json.append(Data(repeating: 0x20, count: (8 - json.count % 8) % 8))
  return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) } + json
}
