import Foundation

/// A retrofit against what any program must do that makes the same bytes: write them to the disk and
/// hash them. The budget is 1.3 times that, and 64 MiB.
let retrofit = Benchmark(
  "retrofit", "TinyLlama-1.1B in bfloat16, 4/8/4, against cp + sync + SHA-256 of the same bytes"
) { setting in
  let source = try SyntheticModel.large.folder(in: setting.workspace)
  try compare(setting, source, select: "0-3/10-17/18-21", runs: setting.runs)
}

/// The same for a model larger than memory: 30 GB of holes, of which 16 GB are taken over. The package
/// and its copy need 32 GB of disk.
let retrofitLarge = Benchmark(
  "retrofit-large", "a sparse 30 GB model, larger than memory, against the same; one run"
) { setting in
  let source = try SyntheticModel.huge.folder(in: setting.workspace)
  try compare(setting, source, select: "0-3/20-31/36-39", runs: 1, warmUp: false)
}

private func compare(
  _ setting: Setting, _ source: String, select: String, runs: Int, warmUp: Bool = true
) throws {
  let (package, copy) = (setting.workspace + "/package", setting.workspace + "/copy")
  let weights = package + "/model.safetensors"
  defer { for path in [package, copy] { remove(path) } }
  let sides: [() throws -> Usage] = [
    {
      remove(package)
      return try measure(
        setting.ckpt("retrofit", source, "--select", select, "--quiet", "-o", package))
    },
    {
      // Of the package that the other side has just made.
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
