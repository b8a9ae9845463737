import Foundation

/// The trainer beside PyTorch on the same recurrent model, and beside sgemm on the same products.
let train = Benchmark(
  "train", "a training step, 4 × 256 tokens, SmolLM2-135M's shape cut to 4/8/4, AdamW and Muon"
) { setting in
  guard let python = setting.python else { throw BenchmarkFailure("--python is needed") }
  let bench = try TrainBenchmark(setting, .small, python: python)
  for optimizer in ["adamw", "muon"] { try bench.compare(optimizer) }
}

/// The largest model that the trainer is meant for, in memory rather than speed.
let trainLarge = Benchmark(
  "train-1.1b", "one step of TinyLlama-1.1B's shape cut to 4/8/4, r = 4, Muon, 4 × 256 tokens"
) { setting in
  let bench = try TrainBenchmark(setting, .large, python: nil)
  let own = try bench.ckpt(recurrence: 4, optimizer: "muon", precision: "float32", steps: 1)
  var table = Table("seconds, whole process", "peak GiB")
  table.add(fixed(own.usage.wall, 1), fixed(Double(own.usage.peak) / 0x1p30, 2))
  table.print()
}

private struct TrainBenchmark {
  static let parts = [4, 8, 4]
  static let (sequences, length, threads) = (4, 256, 2)

  /// What one process did.
  struct Outcome {
    var tokensPerSecond: Double
    var usage: Usage
  }

  let setting: Setting
  let model: SyntheticModel
  let python: String?
  private let folder: String
  private let package: String
  private let tokens: String
  private let shim: String

  init(_ setting: Setting, _ model: SyntheticModel, python: String?) throws {
    self.setting = setting
    self.model = model
    self.python = python
    folder = try model.folder(in: setting.workspace)
    package = folder + "-r"
    tokens = folder + "-tokens.bin"
    shim = setting.workspace + "/mkl_avx512.so"
    if !FileManager.default.fileExists(atPath: package) {
      _ = try measure(
        setting.ckpt(
          "retrofit", folder, "--prelude", "4", "--core", "8", "--coda", "4", "-o", package))
    }
    let count = UInt16(clamping: model.vocabulary)
    let values = (0..<200_000).map { UInt16(truncatingIfNeeded: $0 * 7919 % Int(count)) }
    try values.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: tokens))
    if python != nil { try makeShim() }
  }

  /// MKL takes its AVX2 kernels on processors that are not Intel's; this answer lets it take AVX-512.
  private func makeShim() throws {
    let source = setting.workspace + "/mkl_avx512.c"
    try Data("int mkl_serv_intel_cpu_true(void) { return 1; }\n".utf8)
      .write(to: URL(fileURLWithPath: source))
    _ = try measure(["cc", "-shared", "-fPIC", "-o", shim, source])
  }

  /// Tokens a second of the steps after the first, which meets its memory for the first time.
  func ckpt(
    recurrence: Int, optimizer: String, precision: String, steps: Int = 4
  ) throws -> Outcome {
    let run = folder + "-run"
    let usage = try measure(
      setting.ckpt(
        "train", package, "--data", tokens, "-o", run, "--force", "--steps", "\(steps)",
        "--batch-size", "\(Self.sequences)", "--micro-batch-size", "\(Self.sequences)",
        "--sequence-length", "\(Self.length)", "--recurrence", "\(recurrence)", "--optimizer",
        optimizer, "--precision", precision, "--threads", "\(Self.threads)", "--set",
        "data.held_out=0", "--progress", "none"))
    let lines = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8)
    let rates = try lines.split(separator: "\n").map { line in
      let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return record?["tokens_per_second"] as? Double ?? .nan
    }
    try FileManager.default.removeItem(atPath: run)
    return Outcome(
      tokensPerSecond: Samples(values: Array(rates.dropFirst())).median, usage: usage)
  }

  func torch(
    recurrence: Int, optimizer: String, precision: String, hasAVX512: Bool = false
  ) throws -> Outcome {
    let output = setting.workspace + "/train_torch.json"
    let environment: [String: String?] =
      hasAVX512
      ? ["LD_PRELOAD": URL(fileURLWithPath: shim).path, "MKL_ENABLE_INSTRUCTIONS": "AVX512"] : [:]
    let usage = try measure(
      [
        python ?? "python3", "Benchmarks/peers/train_torch.py", "--config", folder + "/config.json",
        "--recurrence", "\(recurrence)", "--optimizer", optimizer, "--precision", precision,
        "--threads", "\(Self.threads)", "--steps", "4",
      ], environment: environment, output: output)
    let data = try Data(contentsOf: URL(fileURLWithPath: output))
    let result = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    guard let rates = result?["tokens_per_second"] as? [Double] else {
      throw BenchmarkFailure("\(output) is not what the peer prints")
    }
    return Outcome(tokensPerSecond: Samples(values: rates).median, usage: usage)
  }

  /// One table: every precision and recurrence, the sides in turn.
  func compare(_ optimizer: String) throws {
    var table = Table(
      "r", "side", "tokens/s (min / median / max)", "ckpt over it", "peak GiB",
      "of sgemm")
    for recurrence in [1, 4, 8] {
      func own(_ precision: String) -> () throws -> Outcome {
        { try ckpt(recurrence: recurrence, optimizer: optimizer, precision: precision) }
      }
      func peer(_ precision: String, _ hasAVX512: Bool = false) -> () throws -> Outcome {
        {
          try torch(
            recurrence: recurrence, optimizer: optimizer, precision: precision,
            hasAVX512: hasAVX512)
        }
      }
      let ceiling = ProductCeiling(
        model, parts: Self.parts, recurrence: recurrence, sequences: Self.sequences,
        length: Self.length)
      var sides = [
        ("ckpt float32", own("float32")), ("PyTorch float32", peer("float32")),
        ("PyTorch float32, MKL AVX-512", peer("float32", true)),
      ]
      // `ckpt train` refuses bf16 on other processors.
      if setting.hasFlag("avx512_bf16") {
        sides += [("ckpt bf16", own("bf16")), ("PyTorch bf16 autocast", peer("bf16"))]
      }
      let results = try interleaved(setting.runs, sides.map(\.1))
      let limit = Double(Self.sequences * Self.length) / ceiling.seconds(threads: Self.threads)
      for (i, (name, _)) in sides.enumerated() {
        let rate = Samples(results[i].map(\.tokensPerSecond))
        let mine = Samples(results[i < 3 ? 0 : 3].map(\.tokensPerSecond))
        let share = "\(fixed(100 * rate.median / limit, 0)) %"
        table.add(
          "\(recurrence)", name, rate.text(digits: 0),
          i == 0 || i == 3 ? "" : mine.over(rate).text(),
          fixed(Samples(results[i].map { Double($0.usage.peak) / 0x1p30 }).median, 2),
          i < 3 ? share : "")
      }
    }
    print("\n\(optimizer)\n")
    table.print()
  }
}
