import ByteIO
import Foundation
import JSON
import Safetensors
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import RecurrentPackage

/// A Llama whose weights are a hole in a file: as large as wanted, and no disk space.
func sparseSource(in folder: TemporaryFolder, hidden: Int, layers: Int) throws -> String {
  let (h, m, v) = (hidden, 3 * hidden, 1000)
  var tensors: [SafetensorsLayout.Tensor] = []
  func add(_ name: String, _ shape: [Int]) {
    tensors.append(.init(name: TensorName(name), type: .bf16, shape: shape))
  }
  add("model.embed_tokens.weight", [v, h])
  add("model.norm.weight", [h])
  add("lm_head.weight", [v, h])
  for i in 0..<layers {
    let layer = "model.layers.\(i)."
    for name in ["input_layernorm", "post_attention_layernorm"] {
      add("\(layer)\(name).weight", [h])
    }
    for name in ["q", "k", "v", "o"] { add("\(layer)self_attn.\(name)_proj.weight", [h, h]) }
    for name in ["gate", "up"] { add("\(layer)mlp.\(name)_proj.weight", [m, h]) }
    add(layer + "mlp.down_proj.weight", [h, m])
  }
  let layout = try SafetensorsLayout(tensors)
  let path = try folder.write(layout.header, to: "source/model.safetensors")
  let handle = try FileHandle(forWritingTo: URL(filePath: path))
  try handle.truncate(atOffset: UInt64(layout.byteCount))
  try handle.close()
  let config: JSONValue = [
    "model_type": "llama", "hidden_size": JSONValue(h), "intermediate_size": JSONValue(m),
    "num_attention_heads": 8, "num_hidden_layers": JSONValue(layers), "vocab_size": JSONValue(v),
    "max_position_embeddings": 256, "rms_norm_eps": 1e-05, "tie_word_embeddings": false,
  ]
  try folder.write(Array(config.text().utf8), to: "source/config.json")
  return folder.file("source")
}

@Suite("faults while a package is written")
struct FaultTests {
  let folder = TemporaryFolder()

  /// What is in the folder beside the source.
  private func leftovers() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 != "source" }
  }

  @Test(
    "a source truncated or changed meanwhile ends the run, and nothing appears",
    arguments: [true, false])
  func sourceChanges(truncated: Bool) throws {
    let path = try sparseSource(in: folder, hidden: 256, layers: 8)
    let weights = path + "/model.safetensors"
    let once = Mutex(false)
    var options = WriteOptions()
    options.progress = { done, _ in
      guard done > 1 << 20,
        once.withLock({
          let old = $0
          $0 = true
          return !old
        })
      else { return }
      guard let handle = FileHandle(forUpdatingAtPath: weights) else { return }
      if truncated {
        try? handle.truncate(atOffset: 4096)
      } else {
        try? handle.seek(toOffset: 4096)
        try? handle.write(contentsOf: Data([1]))
      }
      try? handle.close()
    }
    #expect(throws: FileError.self) {
      try Sample(path: path).write(to: folder.file("p"), options)
    }
    #expect(try leftovers().isEmpty)
  }

  @Test("an error leaves the package that was there")
  func oldStays() throws {
    let path = try sparseSource(in: folder, hidden: 64, layers: 8)
    try Sample(path: path).write(to: folder.file("p"))
    let before = try files(folder.file("p"))
    var options = WriteOptions()
    options.force = true
    options.progress = { _, _ in
      try? FileHandle(forUpdatingAtPath: path + "/model.safetensors")?.truncate(atOffset: 4096)
    }
    #expect(throws: FileError.self) {
      try Sample(path: path).write(to: folder.file("p"), options)
    }
    #expect(try files(folder.file("p")) == before)
    #expect(try leftovers() == ["p"])
  }

  @Test("more than the disk has free is refused before a byte is written")
  func noSpace() throws {
    // Terabytes of holes.
    let path = try sparseSource(in: folder, hidden: 1 << 17, layers: 8)
    let error = #expect(throws: FileError.self) {
      try Sample(path: path).write(to: folder.file("p"))
    }
    guard case .noSpace(let needed, _) = error?.problem else {
      Issue.record("not refused for space")
      return
    }
    #expect(needed > 1 << 40)
    #expect(try leftovers().isEmpty)
  }

  @Test("the limit on a file's size, met while writing, is an error and leaves nothing")
  func fileLimit() throws {
    let path = try sparseSource(in: folder, hidden: 256, layers: 8)
    // The shell's limit is in KiB; the ignored signal makes the write fail instead.
    let done = try run(
      "trap '' XFSZ; ulimit -f 4096; exec \"$0\" retrofit \"$1\" --select 0/1-4/7 -o \"$2\"",
      path, folder.file("p"))
    #expect(done == 5)
    #expect(try leftovers().isEmpty)
  }

  @Test("killed at any moment, the package is whole or not there")
  func killed() throws {
    let path = try sparseSource(in: folder, hidden: 512, layers: 12)
    for delay in stride(from: 0.02, to: 0.62, by: 0.06) {
      _ = try run(
        "\"$0\" retrofit \"$1\" --select 0/1-10/11 -o \"$2\" --force & sleep \(delay); kill -9 $!; wait",
        path, folder.file("p"))
      guard FileManager.default.fileExists(atPath: folder.file("p")) else { continue }
      #expect(try RecurrentPackage.open(folder.file("p")).integrityProblems().isEmpty)
    }
    // What a killed run left does not stand in the way of the next.
    #expect(
      try run(
        "exec \"$0\" retrofit \"$1\" --select 0/1/2 -o \"$2\" --force", path, folder.file("p")) == 0
    )
    #expect(try RecurrentPackage.open(folder.file("p")).integrityProblems().isEmpty)
  }

  @Test("interrupted, the program says so and cleans up")
  func interrupted() throws {
    let path = try sparseSource(in: folder, hidden: 1024, layers: 24)
    let code = try run(
      "\"$0\" retrofit \"$1\" --select 0/1-22/23 -o \"$2\" & "
        + "while [ ! -e \"$3\"/.p.ckpt-$!.partial ]; do :; done; "
        + "kill -INT $!; wait $!", path, folder.file("p"), folder.path)
    #expect(code == 130)
    #expect(try leftovers().isEmpty)
  }

  /// Runs a line of shell with the program's path as `$0`; its exit code.
  private func run(_ line: String, _ arguments: String...) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = ["-m", "-c", line, try #require(Executable.path)] + arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
