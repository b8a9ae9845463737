import ByteIO
import Checkpoint
import Foundation
import JSON
import ModelGraph
import Recurrence
import Tensors
import TestSupport
import Testing

@testable import RecurrentPackage

/// A golden source model and the plan of its retrofit.
struct Sample {
  var checkpoint: Checkpoint
  var plan: RetrofitPlan

  init(_ name: String = "tiny-llama", change: (inout RetrofitOptions) -> Void = { _ in }) throws {
    try self.init(path: Fixtures.path("golden/\(name)/source"), change: change)
  }

  init(path: String, change: (inout RetrofitOptions) -> Void = { _ in }) throws {
    checkpoint = try Checkpoint.open(path)
    let graph = try ModelGraph.read(
      config: try #require(checkpoint.config), tensors: checkpoint.tensors)
    let count = graph.blocks.count
    var options = RetrofitOptions(
      selection: try LayerSelection(prelude: 2, core: count == 8 ? 3 : 4, coda: 2, of: count))
    change(&options)
    plan = try RetrofitPlan(graph, options)
  }

  func writer(_ options: WriteOptions = WriteOptions()) throws -> PackageWriter {
    let contents = try PackageContents(
      plan, of: checkpoint, sources: checkpoint.inputs.map { try ByteRegion(path: $0) },
      toolVersion: ToolVersion("0.1.0"))
    return try PackageWriter(contents, source: checkpoint, options: options)
  }

  @discardableResult
  func write(
    to path: String, _ options: WriteOptions = WriteOptions(),
    progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
  ) throws -> WrittenPackage {
    try writer(options).write(to: path, progress: progress)
  }
}

/// Every file below `path` by name.
func files(_ path: String) throws -> [String: [UInt8]] {
  var found: [String: [UInt8]] = [:]
  for name in try FileManager.default.subpathsOfDirectory(atPath: path) {
    found[name] = try ByteRegion(path: path + "/" + name).contents(limit: 1 << 28)
  }
  return found
}

@Suite("package writer")
struct WriterTests {
  let folder = TemporaryFolder()

  @Test(
    "a golden source becomes the golden retrofit, byte for byte but for the adapter",
    arguments: ["tiny-llama", "tiny-llama3-rope", "tiny-olmo2"], [nil, 40_000])
  func golden(name: String, shardLimit: Int?) throws {
    var options = WriteOptions()
    options.shardLimit = shardLimit
    try Sample(name).write(to: folder.file("package"), options)
    let found = try Checkpoint.open(folder.file("package"))
    let want = try Checkpoint.open(Fixtures.path("golden/\(name)/retrofit"))
    #expect(found.tensors.map(\.name).sorted() == want.tensors.map(\.name).sorted())
    #expect(found.inputs.count == (shardLimit == nil ? 1 : found.inputs.count))
    #expect((found.inputs.count > 1) == (shardLimit != nil))
    for record in want.tensors where record.name != "transformer.adapter.weight" {
      #expect(found.record(record.name)?.type == record.type)
      #expect(found.record(record.name)?.shape == record.shape)
      let (a, b) = (try #require(found.region(record.name)), try #require(want.region(record.name)))
      #expect(try a.contents(limit: 1 << 20) == b.contents(limit: 1 << 20))
    }
    let graph = try ModelGraph.read(
      config: try #require(found.config), tensors: found.tensors)
    #expect(graph.recurrence?.core.count == (name == "tiny-llama3-rope" ? 3 : 4))
  }

  @Test("two runs give identical bytes, whatever the threads")
  func deterministic() throws {
    var one = WriteOptions()
    one.threads = 1
    var many = WriteOptions()
    many.threads = 7
    let sample = try Sample { $0.adapter = .uniform(seed: 74) }
    try sample.write(to: folder.file("a"), one)
    try sample.write(to: folder.file("b"), many)
    #expect(try files(folder.file("a")) == files(folder.file("b")))
    try Sample { $0.adapter = .uniform(seed: 75) }.write(to: folder.file("c"))
    #expect(try files(folder.file("a")) != files(folder.file("c")))
  }

  @Test("the manifest's digests and spans are those of the bytes")
  func manifest() throws {
    let written = try Sample("tiny-llama3-rope").write(to: folder.file("p"))
    let all = try files(folder.file("p"))
    #expect(Set(all.keys) == Set(written.manifest.files.map(\.path) + ["manifest.json"]))
    #expect(written.byteCount == all.values.reduce(0) { $0 + $1.count })
    for file in written.manifest.files {
      let bytes = try #require(all[file.path])
      #expect(file.byteCount == bytes.count)
      #expect(file.digest == SHA256.digest(of: bytes))
    }
    for file in written.manifest.sources {
      let bytes = try ByteRegion(
        path: Fixtures.path("golden/tiny-llama3-rope/source/\(file.path)")
      ).contents(limit: 1 << 20)
      #expect(file.digest == SHA256.digest(of: bytes))
    }
    #expect(written.manifest.sources.count == 4)
    for tensor in written.manifest.tensors {
      let bytes = try #require(all[tensor.file])
      let part = Array(bytes[tensor.offset..<tensor.offset + tensor.byteCount])
      #expect(tensor.digest == SHA256.digest(of: part))
      guard tensor.isCopy else { continue }
      var joined: [UInt8] = []
      for source in tensor.parts {
        let file = try ByteRegion(
          path: Fixtures.path("golden/tiny-llama3-rope/source/\(source.file)")
        ).contents(limit: 1 << 20)
        let offset = try #require(source.offset)
        joined += file[offset..<offset + source.byteCount]
      }
      #expect(joined == part)
    }
    #expect(
      written.manifest.tensors.filter { !$0.isCopy }.map(\.name) == ["transformer.adapter.weight"])
    let again = try Manifest(ByteRegion(path: folder.file("p/manifest.json")))
    #expect(again.files == written.manifest.files)
    #expect(again.tensors == written.manifest.tensors)
  }

  @Test("casts are recorded and right, in every tensor")
  func casts() throws {
    let written = try Sample { $0.type = .f32 }.write(to: folder.file("p"))
    let found = try Checkpoint.open(folder.file("p"))
    let want = try Checkpoint.open(Fixtures.path("golden/tiny-llama/retrofit"))
    for record in want.tensors where record.name != "transformer.adapter.weight" {
      #expect(try floats(found, record) == floats(want, record))
    }
    #expect(written.manifest.tensors.allSatisfy { $0.type == .f32 })
    #expect(
      written.manifest.tensors.first { $0.name == "transformer.wte.weight" }?.operations == [
        "cast F32"
      ])
  }

  @Test("an overflowing cast is refused by the tensor's name, unless it is allowed")
  func overflow() throws {
    let path = try copySource("tiny-llama", to: "big")
    var bytes = try ByteRegion(path: path + "/model.safetensors").contents(limit: 1 << 20)
    let record = try #require(
      try Checkpoint.open(path).record("model.layers.4.mlp.up_proj.weight"))
    let offset = try #require(record.offset)
    bytes.replaceSubrange(offset..<offset + 2, with: [0x00, 0x7F])  // 1.7e38 in bf16
    try Data(bytes).write(to: URL(filePath: path + "/model.safetensors"))
    let sample = try Sample(path: path) { $0.type = .f16 }
    #expect(
      throws: ConversionError(
        .overflow(Overflow(count: 1, maximum: 0x1p127), .element(.f16)),
        tensor: "transformer.core_block.0.mlp.fc.weight")
    ) { try sample.write(to: folder.file("p")) }
    #expect(!FileManager.default.fileExists(atPath: folder.file("p")))
    var options = WriteOptions()
    options.allowOverflow = true
    try sample.write(to: folder.file("p"), options)
  }

  @Test("tokenizer and licence are taken over byte for byte, other files are not")
  func sideFiles() throws {
    let path = try copySource("tiny-llama", to: "source")
    let kept = ["tokenizer.json": "{}\r\n", "LICENSE.txt": "a licence", "merges.txt": "\u{FEFF}x"]
    for (name, text) in kept { try folder.write(Array(text.utf8), to: "source/" + name) }
    try folder.write(Array("import os".utf8), to: "source/modeling.py")
    try folder.write(Array("---\nlicense: llama3.2\n---\n# Mine".utf8), to: "source/README.md")
    try Sample(path: path).write(to: folder.file("p"))
    let all = try files(folder.file("p"))
    for (name, text) in kept { #expect(all[name] == Array(text.utf8)) }
    #expect(all["modeling.py"] == nil)
    let card = String(decoding: try #require(all["README.md"]), as: UTF8.self)
    #expect(card.hasPrefix("---\nbase_model: \"source\"\n"))
    #expect(card.contains("\nlicense: \"llama3.2\"\n"))
    #expect(card.contains("| core | 4-7 |"))
    let generation = try JSONValue(parsing: try #require(all["generation_config.json"]))
    #expect(generation["eos_token_id"]?.integer == 2 && generation["bos_token_id"]?.integer == 1)
    #expect(generation["num_steps"]?.integer == 32)
  }

  @Test(
    "a licence is found in any front matter that is YAML",
    arguments: [
      ("---\r\nlicense: mit\r\n---\r\n", "mit"), ("\u{FEFF}---\nlicense: mit\n---\n", "mit"),
      ("---\nlicense: mit # ok\n---\n", "mit"),
      ("---\nlicense:\n- apache-2.0\n---\n", "apache-2.0"),
      ("---\nlicense: [apache-2.0]\n---\n", "apache-2.0"),
      ("---\n'license': \"mit\"\n---\n", "mit"),
    ])
  func licence(card: String, id: String) throws {
    let path = try copySource("tiny-llama", to: "source")
    try folder.write(Array(card.utf8), to: "source/README.md")
    try Sample(path: path).write(to: folder.file("p"))
    let written = String(
      decoding: try #require(try files(folder.file("p"))["README.md"]), as: UTF8.self)
    #expect(written.contains("\nlicense: \"\(id)\"\n"))
  }

  private func floats(_ checkpoint: Checkpoint, _ record: TensorRecord) throws -> [Float] {
    var values = [Float](repeating: .nan, count: record.elementCount)
    var span = values.mutableSpan
    try checkpoint.readFloats(record.name, elements: 0..<record.elementCount, into: &span)
    return values
  }

  private func copySource(_ name: String, to target: String) throws -> String {
    let path = folder.file(target)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (file, bytes) in try files(Fixtures.path("golden/\(name)/source")) {
      try Data(bytes).write(to: URL(filePath: path + "/" + file))
    }
    return path
  }
}
