import Foundation

/// Time and memory of `ckpt inspect` on a checkpoint of 141 GB: a Llama of 70 billion parameters in
/// 29 shards, whose tensors are holes of the file system. Only the headers are ever read.
let inspect = Benchmark("inspect", "ckpt inspect, 141 GB in 29 shards; the start-up is the floor") {
  setting in
  let folder = setting.scratch + "/llama-70b"
  let headers = try SparseLlama().write(to: folder)
  let usages = try interleaved(
    setting.runs * 4,
    [
      { try measure(setting.ckpt("inspect", folder)) },
      { try measure(setting.ckpt("inspect", folder, "--json")) },
      { try measure(setting.ckpt("--version")) },
    ])
  var table = Table("command", "ms (min / median / max)", "peak MiB", "ratio to --version")
  let floor = Samples(usages[2].map(\.wall))
  for (name, results) in zip(["inspect", "inspect --json", "--version"], usages) {
    table.add(
      name, Samples(results.map { $0.wall * 1e3 }).text(digits: 1),
      fixed(Samples(results.map { Double($0.peak) / 0x1p20 }).median, 1),
      Samples(results.map(\.wall)).over(floor).text())
  }
  table.print()
  print("\nheaders: \(headers) bytes; the budget is 20 ms and 30 MiB")
}

/// The shapes of Llama 3 70B in bf16, written without their values.
private struct SparseLlama {
  let layers = 80
  let hidden = 8192
  let intermediate = 28672
  let vocabulary = 128_256
  let shardCount = 29

  private typealias Tensor = (name: String, shape: [Int])

  private var tensors: [Tensor] {
    var tensors: [Tensor] = [("model.embed_tokens.weight", [vocabulary, hidden])]
    for layer in 0..<layers {
      let prefix = "model.layers.\(layer)."
      tensors += [
        (prefix + "input_layernorm.weight", [hidden]),
        (prefix + "mlp.down_proj.weight", [hidden, intermediate]),
        (prefix + "mlp.gate_proj.weight", [intermediate, hidden]),
        (prefix + "mlp.up_proj.weight", [intermediate, hidden]),
        (prefix + "post_attention_layernorm.weight", [hidden]),
        (prefix + "self_attn.k_proj.weight", [hidden / 8, hidden]),
        (prefix + "self_attn.o_proj.weight", [hidden, hidden]),
        (prefix + "self_attn.q_proj.weight", [hidden, hidden]),
        (prefix + "self_attn.v_proj.weight", [hidden / 8, hidden]),
      ]
    }
    return tensors + [
      ("model.norm.weight", [hidden]), ("lm_head.weight", [vocabulary, hidden]),
    ]
  }

  /// Writes the folder, and gives the bytes of all headers.
  func write(to folder: String) throws -> Int {
    try? FileManager.default.removeItem(atPath: folder)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var map: [String: String] = [:]
    var (headers, total) = (0, 0)
    let all = tensors
    let perShard = (all.count + shardCount - 1) / shardCount
    for shard in 0..<shardCount {
      let part = all.dropFirst(shard * perShard).prefix(perShard)
      let name = "model-\(padded(shard + 1))-of-\(padded(shardCount)).safetensors"
      for tensor in part { map[tensor.name] = name }
      let (header, byteCount) = try write(Array(part), to: folder + "/" + name)
      headers += header
      total += byteCount
    }
    let index: [String: Any] = ["metadata": ["total_size": total], "weight_map": map]
    try JSONSerialization.data(withJSONObject: index, options: [.sortedKeys]).write(
      to: URL(filePath: folder + "/model.safetensors.index.json"))
    let config: [String: Any] = [
      "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
      "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
      "num_attention_heads": hidden / 128, "num_key_value_heads": 8, "head_dim": 128,
      "vocab_size": vocabulary, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
      "rope_theta": 500_000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    ]
    try JSONSerialization.data(withJSONObject: config, options: [.sortedKeys]).write(
      to: URL(filePath: folder + "/config.json"))
    return headers
  }

  /// One shard: its header, then a hole.
  private func write(
    _ tensors: [Tensor], to path: String
  ) throws -> (header: Int, byteCount: Int) {
    var entries: [String: Any] = [:]
    var end = 0
    for tensor in tensors {
      let start = end
      end += tensor.shape.reduce(2, *)
      entries[tensor.name] = [
        "dtype": "BF16", "shape": tensor.shape, "data_offsets": [start, end],
      ]
    }
    let json = try JSONSerialization.data(withJSONObject: entries, options: [.sortedKeys])
    var length = UInt64(json.count).littleEndian
    let header = Data(bytes: &length, count: 8) + json
    try header.write(to: URL(filePath: path))
    guard truncate(path, off_t(header.count + end)) == 0 else {
      throw BenchmarkFailure("\(path): \(String(cString: strerror(errno)))")
    }
    return (header.count, end)
  }

  private func padded(_ number: Int) -> String {
    String(repeating: "0", count: 5 - String(number).count) + String(number)
  }
}
