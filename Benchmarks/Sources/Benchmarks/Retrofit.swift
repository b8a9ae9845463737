import Foundation

/// A retrofit against what any program must do that makes the same bytes: write them to the disk and
/// hash them. The budget is 1.3 times that, and 64 MiB.
let retrofit = Benchmark(
  "retrofit", "TinyLlama-1.1B in bfloat16, 4/8/4, against cp + sync + SHA-256 of the same bytes"
) { setting in
  let source = try LlamaShape.tinyLlama.make(in: setting.scratch + "/tinyllama", isSparse: false)
  try compare(setting, source, select: "0-3/10-17/18-21", runs: setting.runs)
}

/// The same for a model larger than memory: 30 GB of holes, of which 16 GB are taken over.
let retrofitLarge = Benchmark(
  "retrofit-large", "a sparse 30 GB model, larger than memory, against the same; one run"
) { setting in
  let source = try LlamaShape.large.make(in: setting.scratch + "/large", isSparse: true)
  try compare(setting, source, select: "0-3/20-31/36-39", runs: 1, warmUp: false)
}

private func compare(
  _ setting: Setting, _ source: String, select: String, runs: Int, warmUp: Bool = true
) throws {
  let (package, copy) = (setting.scratch + "/package", setting.scratch + "/copy")
  let reference = setting.scratch + "/reference"
  defer { for path in [package, copy, reference] { remove(path) } }
  let command = { (output: String) in
    setting.ckpt("retrofit", source, "--select", select, "--quiet", "-o", output)
  }
  remove(reference)
  _ = try measure(command(reference))
  let weights = reference + "/model.safetensors"
  let sides: [() throws -> Usage] = [
    {
      remove(package)
      return try measure(command(package))
    },
    {
      remove(copy)
      let steps = try [
        ["cp", "--sparse=never", weights, copy], ["sync", copy],
        ["openssl", "dgst", "-sha256", copy],
      ].map { try measure($0) }
      return Usage(
        wall: steps.reduce(0) { $0 + $1.wall }, cpu: steps.reduce(0) { $0 + $1.cpu },
        peak: steps.map(\.peak).max() ?? 0)
    },
  ]
  let results = try warmUp ? interleaved(runs, sides) : sides.map { [try $0()] }
  var table = Table("side", "s (min / median / max)", "CPU s", "peak MiB")
  for (name, usages) in zip(["ckpt retrofit", "cp + sync + SHA-256"], results) {
    table.add(
      name, Samples(usages.map(\.wall)).text(), fixed(Samples(usages.map(\.cpu)).median, 2),
      fixed(Samples(usages.map { Double($0.peak) / 0x1p20 }).maximum, 1))
  }
  table.print()
  let ratio = Samples(results[0].map(\.wall)).over(Samples(results[1].map(\.wall)))
  print("\nratio, pair by pair (min / median / max): \(ratio.text()); budget 1.30, 64 MiB")
}

private func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

/// The extents of a Llama whose weights are made up.
private struct LlamaShape {
  var hidden: Int
  var intermediate: Int
  var keyValue: Int
  var vocabulary: Int
  var layers: Int
  var heads: Int

  static let tinyLlama = LlamaShape(
    hidden: 2048, intermediate: 5632, keyValue: 256, vocabulary: 32_000, layers: 22, heads: 32)
  static let large = LlamaShape(
    hidden: 5120, intermediate: 17_408, keyValue: 1024, vocabulary: 152_064, layers: 40, heads: 40)

  /// Every tensor's name and shape, in the order of the file.
  private var tensors: [(name: String, shape: [Int])] {
    var tensors = [
      ("lm_head.weight", [vocabulary, hidden]),
      ("model.embed_tokens.weight", [vocabulary, hidden]),
      ("model.norm.weight", [hidden]),
    ]
    for i in 0..<layers {
      let layer = "model.layers.\(i)."
      tensors += [
        ("input_layernorm", [hidden]), ("mlp.down_proj", [hidden, intermediate]),
        ("mlp.gate_proj", [intermediate, hidden]), ("mlp.up_proj", [intermediate, hidden]),
        ("post_attention_layernorm", [hidden]), ("self_attn.k_proj", [keyValue, hidden]),
        ("self_attn.o_proj", [hidden, hidden]), ("self_attn.q_proj", [hidden, hidden]),
        ("self_attn.v_proj", [keyValue, hidden]),
      ].map { (layer + $0.0 + ".weight", $0.1) }
    }
    return tensors
  }

  /// Makes a folder with the model in bfloat16, unless it is there; its path.
  func make(in folder: String, isSparse: Bool) throws -> String {
    let weights = folder + "/model.safetensors"
    if FileManager.default.fileExists(atPath: folder + "/config.json") { return folder }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var (end, members) = (0, [String]())
    for (name, shape) in tensors {
      let start = end
      end += shape.reduce(2, *)
      members.append(
        "\"\(name)\":{\"dtype\":\"BF16\",\"shape\":\(shape),\"data_offsets\":[\(start),\(end)]}")
    }
    var header = Array(("{" + members.joined(separator: ",") + "}").utf8)
    header += [UInt8](repeating: 0x20, count: 63 - (header.count + 8 + 63) % 64)
    var bytes = Data((0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) })
    bytes += header
    FileManager.default.createFile(atPath: weights, contents: bytes)
    let file = try FileHandle(forWritingTo: URL(filePath: weights))
    try file.truncate(atOffset: UInt64(bytes.count + end))
    if !isSparse { try fill(file, from: bytes.count, count: end) }
    try file.close()
    try Data(config.utf8).write(to: URL(filePath: folder + "/config.json"))
    return folder
  }

  /// Numbers of weights' size, from a generator with a fixed start.
  private func fill(_ file: FileHandle, from start: Int, count: Int) throws {
    try file.seek(toOffset: UInt64(start))
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    for first in stride(from: 0, to: count, by: 1 << 24) {
      var words = [UInt16](repeating: 0, count: min(1 << 24, count - first) / 2)
      for i in words.indices {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // A sign, an exponent that makes ±2⁻⁶ to 2⁻⁹, and seven bits of fraction.
        let bits = state >> 40
        words[i] = UInt16(bits & 0x8000 | (118 + (bits >> 16) & 3) << 7 | bits & 0x7F)
      }
      try words.withUnsafeBytes { try file.write(contentsOf: Data($0)) }
    }
  }

  private var config: String {
    """
    {"model_type": "llama", "hidden_size": \(hidden), "intermediate_size": \(intermediate),
     "num_attention_heads": \(heads), "num_key_value_heads": \(keyValue * heads / hidden),
     "num_hidden_layers": \(layers), "vocab_size": \(vocabulary), "rms_norm_eps": 1e-05,
     "max_position_embeddings": 2048, "rope_theta": 10000.0, "tie_word_embeddings": false}

    """
  }
}
