import Foundation

/// Time and memory of `ckpt inspect` on a checkpoint of 141 GB: a Llama of 70 billion parameters in
/// 29 shards, whose tensors are holes of the file system. Only the headers are ever read.
let inspect = Benchmark("inspect", "ckpt inspect, 141 GB in 29 shards; the start-up is the floor") {
  setting in
  let folder = try SyntheticModel.sharded.folder(in: setting.workspace)
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
  print("\nthe budget is 20 ms and 30 MiB")
}
