import Foundation

/// Rewriting a safetensors file of 2.1 GB, against copying it and reading the copy for its digest.
///
/// `ckpt convert` prints the SHA-256 of what it writes, so this is the same service by `cp`, `sync`
/// and `sha256sum`. Both ends are on the disk when each side is done.
let convertWeights = Benchmark(
  "convert", "ckpt convert of 2.1 GB, against cp + sync + sha256sum; the budget is a ratio of 1.3"
) { setting in
  let source = setting.workspace + "/convert.safetensors"
  try writeWeights(to: source)
  func output(_ name: String) -> String { setting.workspace + "/converted" + name }
  func convert(_ name: String, _ more: String...) throws -> Usage {
    try? FileManager.default.removeItem(atPath: output(name))
    return try measure(
      setting.ckpt("convert", source, "-o", output(name), "--progress", "none") + more)
  }
  let usages = try interleaved(
    setting.runs,
    [
      {
        try? FileManager.default.removeItem(atPath: output(".copy"))
        let copy = "cp \(source) \(output(".copy")) && sync \(output(".copy"))"
        return try measure(["sh", "-c", copy + " && sha256sum \(output(".copy"))"])
      },
      { try convert(".safetensors") },
      { try convert(".pt") },
      { try convert(".f16.safetensors", "--dtype", "f16") },
    ])
  var table = Table("job", "s (min / median / max)", "ratio", "processor s", "peak MiB")
  let names = ["cp + sync + sha256sum", "to safetensors", "to PyTorch", "to safetensors, as f16"]
  let peer = Samples(usages[0].map(\.wall))
  for (name, results) in zip(names, usages) {
    table.add(
      name, Samples(results.map(\.wall)).text(), Samples(results.map(\.wall)).over(peer).text(),
      fixed(Samples(results.map(\.cpu)).median, 2),
      fixed(Samples(results.map { Double($0.peak) / 0x1p20 }).median, 1))
  }
  table.print()
  for name in [".copy", ".safetensors", ".pt", ".f16.safetensors"] {
    try? FileManager.default.removeItem(atPath: output(name))
  }
}

/// Sixteen bf16 matrices of 128 MiB whose values are no zeros, so that no file system saves them.
private func writeWeights(to path: String) throws {
  let (count, rows, columns) = (16, 8192, 8192)
  let size = rows * columns * 2
  var entries: [String: Any] = [:]
  for i in 0..<count {
    entries["layers.\(i).weight"] = [
      "dtype": "BF16", "shape": [rows, columns], "data_offsets": [i * size, (i + 1) * size],
    ]
  }
  var state: UInt64 = 1
  // Values between 0.5 and 2, in either sign: finite in every type.
  let words = (0..<(size / 4)).map { _ -> UInt32 in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let random = UInt32(truncatingIfNeeded: state >> 32)
    return random & 0x80FF_80FF | 0x3F00_3F00
  }
  let matrix = words.withUnsafeBytes { Data($0) }
  _ = FileManager.default.createFile(atPath: path, contents: try safetensorsHeader(entries))
  let file = try FileHandle(forWritingTo: URL(filePath: path))
  try file.seekToEnd()
  for _ in 0..<count { try file.write(contentsOf: matrix) }
  try file.close()
}
