import Foundation

/// Text to tokens on one core, beside the package tokenizers on one thread.
let tokenizing = Benchmark("tokenize", "8 MB of mixed text to tokens, one thread") { setting in
  let text = setting.workspace + "/text.txt"
  let byteCount = try mixedText(to: text, atLeast: 8_000_000)
  let folder = "fixtures/tokenizers"
  var table = Table("tokenizer", "ckpt MB/s (min / median / max)", "tokenizers MB/s", "ratio")
  for name in ["gpt2", "llama3", "qwen2", "smollm2", "olmo2", "llama2", "mistral", "unigram"] {
    let model = "\(folder)/\(name).json"
    // What starting and reading the vocabulary cost is subtracted.
    let ours = {
      let empty = try measure(setting.ckpt("tokenize", model, "--json"), input: "/dev/null").cpu
      let whole = try measure(setting.ckpt("tokenize", model, "--json"), input: text).cpu
      return Double(byteCount) / 1e6 / max(whole - empty, 1e-9)
    }
    guard let python = setting.python else {
      let speeds = try interleaved(setting.runs, [ours])
      table.add(name, Samples(speeds[0]).text(digits: 1), "-", "-")
      continue
    }
    let theirs = {
      let object = try jsonOutput(
        [python, "Benchmarks/peers/encode.py", model, text], in: setting)
      return object["megabytes_per_second"] as? Double ?? .nan
    }
    let speeds = try interleaved(setting.runs, [ours, theirs]).map { Samples($0) }
    table.add(
      name, speeds[0].text(digits: 1), speeds[1].text(digits: 1), speeds[0].over(speeds[1]).text())
  }
  table.print()
}

/// Writes the project's own sources, documents and the tokenizers' mixed text, as often as it takes,
/// each time with other words, so that no cache of words has an easy time.
private func mixedText(to path: String, atLeast byteCount: Int) throws -> Int {
  var parts = [try Data(contentsOf: URL(fileURLWithPath: "fixtures/tokenizers/mixed.txt"))]
  for folder in ["Sources", "formats", "Scripts"] {
    let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    for file in files.sorted() where [".swift", ".md", ".py", ".c"].contains(where: file.hasSuffix)
    {
      parts.append(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + file)))
    }
  }
  let once = parts.reduce(Data(), +)
  var text = Data()
  var round: UInt8 = 0
  while text.count < byteCount {
    // Letters move on by the round: other words, of the same shape.
    text += Data(
      once.map { byte in
        switch byte {
        case 0x61...0x7A: (byte - 0x61 + round) % 26 + 0x61
        case 0x41...0x5A: (byte - 0x41 + round) % 26 + 0x41
        default: byte
        }
      })
    round += 1
  }
  try text.write(to: URL(fileURLWithPath: path))
  return text.count
}
