/// What it costs to start the tool at all: the floor under every other figure.
let startUp = Benchmark("start-up", "ckpt --version, whole process") { setting in
  let usages = try interleaved(setting.runs * 4, [{ try measure(setting.ckpt("--version")) }])[0]
  var table = Table("command", "ms (min / median / max)", "peak MiB")
  table.add(
    "ckpt --version", Samples(usages.map { $0.wall * 1e3 }).text(digits: 1),
    fixed(Samples(usages.map { Double($0.peak) / 0x1p20 }).median, 1))
  table.print()
}
