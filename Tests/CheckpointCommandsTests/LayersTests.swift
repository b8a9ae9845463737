import ArgumentParser
import ByteIO
import Checkpoint
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt layers")
struct LayersTests {
  let folder = TemporaryFolder()
  static let layers = 10

  private func floats(_ checkpoint: Checkpoint, _ name: String) throws -> [Float] {
    let record = try #require(checkpoint.record(TensorName(name)))
    var values = [Float](repeating: 0, count: record.elementCount)
    var span = values.mutableSpan
    try checkpoint.readFloats(record.name, elements: 0..<record.elementCount, into: &span)
    return values
  }

  /// A golden model with a tokenizer of one character a token, and its golden input as text.
  private func model(_ golden: String) throws -> (path: String, text: String) {
    let source = Fixtures.path("golden/\(golden)/source")
    for name in ["config.json", "model.safetensors"] {
      let bytes = try Data(contentsOf: URL(filePath: source + "/" + name))
      try folder.write(Array(bytes), to: "model/" + name)
    }
    let letter = { (id: Int) in String(UnicodeScalar(UInt32(0x4E00 + id)) ?? " ") }
    let size = try #require(Checkpoint.open(source).config?["vocab_size"]?.integer)
    let vocabulary = (0..<size).map { "\"\(letter($0))\": \($0)" }.joined(separator: ", ")
    let tokenizer = "{\"model\": {\"type\": \"BPE\", \"vocab\": {\(vocabulary)}, \"merges\": []}}"
    try folder.write(Array(tokenizer.utf8), to: "model/tokenizer.json")
    let numbers = try Checkpoint.open(Fixtures.path("golden/\(golden)/golden.safetensors"))
    var ids = [UInt8](repeating: 0, count: 2 * 12 * 8)
    var span = ids.mutableRawSpan
    try numbers.read(TensorName("input_ids"), at: 0, into: &span)
    let text = stride(from: 0, to: ids.count, by: 8).map { letter(Int(ids[$0])) }.joined()
    return (folder.file("model"), try folder.write(Array(text.utf8), to: "text"))
  }

  /// Mean 1 - cosine and arccosine / π between each layer's input and output, from golden hidden
  /// states; the final norm's scale, which moves the last one's direction, is divided out.
  private func expected(_ golden: String) throws -> [(influence: Double, angle: Double)] {
    let numbers = try Checkpoint.open(Fixtures.path("golden/\(golden)/golden.safetensors"))
    let source = try Checkpoint.open(Fixtures.path("golden/\(golden)/source"))
    let scale = try floats(source, "model.norm.weight").map(Double.init)
    let (positions, width) = (24, scale.count)
    let values = try floats(numbers, "base.hidden").map(Double.init)
    #expect(values.count == (Self.layers + 1) * positions * width)
    func state(_ layer: Int, _ position: Int) -> [Double] {
      let start = (layer * positions + position) * width
      let row = Array(values[start..<(start + width)])
      return layer == Self.layers ? zip(row, scale).map { $0 / $1 } : row
    }
    func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).map { $0 * $1 }.reduce(0, +) }
    return (0..<Self.layers).map { layer in
      let cosines = (0..<positions).map { position in
        let (x, y) = (state(layer, position), state(layer + 1, position))
        return dot(x, y) / (dot(x, x) * dot(y, y)).squareRoot()
      }
      return (
        cosines.map { 1 - $0 }.reduce(0, +) / Double(positions),
        cosines.map { acos($0) / Double.pi }.reduce(0, +) / Double(positions)
      )
    }
  }

  @Test(
    "influence, distance and rank are those of the golden hidden states",
    arguments: ["tiny-llama", "tiny-olmo2"])
  func influence(golden: String) throws {
    let (path, text) = try model(golden)
    let run = try outcome(
      Layers.self, [path, "--data", text, "--sequence-length", "12", "--json"])
    #expect(run.code == 0, "\(run.output)")
    let json = try #require(run.json)
    #expect(json["schema"]?.string == "ckpt.layers/1")
    #expect(json["windows"]?.integer == 2)
    let rows = try #require(json["layers"]?.array)
    let wanted = try expected(golden)
    #expect(rows.count == wanted.count)
    for (row, wanted) in zip(rows, wanted) {
      let influence = try #require(row["block_influence"]?.double)
      let angle = try #require(row["angular_distance"]?.double)
      #expect(abs(influence - wanted.influence) < 1e-5)
      #expect(abs(angle - wanted.angle) < 1e-5)
    }
    let order = wanted.indices.sorted { wanted[$0].influence > wanted[$1].influence }
    for (place, layer) in order.enumerated() {
      #expect(rows[layer]["rank"]?.integer == place + 1)
    }
    // 4, 8 and 4 of 22 are 2, 4 and 2 of 10; the core is the best four of layers 2 to 7.
    let core = order.filter { (2...7).contains($0) }.prefix(4).sorted()
    #expect(json["proposal"]?["prelude"]?.array?.compactMap(\.integer) == [0, 1])
    #expect(json["proposal"]?["core"]?.array?.compactMap(\.integer) == core)
    #expect(json["proposal"]?["coda"]?.array?.compactMap(\.integer) == [8, 9])
    #expect(core.compactMap { rows[$0]["part"]?.string } == ["core", "core", "core", "core"])
  }

  @Test("retrofit takes the proposal; the page shows it under table and bars")
  func proposal() throws {
    let (path, text) = try model("tiny-llama")
    let arguments = [
      path, "--data", text, "--sequence-length", "12", "--prelude", "1", "--core", "3", "--coda",
      "2",
    ]
    let run = try outcome(Layers.self, arguments + ["--json"])
    let select = try #require(run.json?["proposal"]?["select"]?.string)
    let dry = try outcome(Retrofit.self, [path, "--select", select, "--dry-run", "--json"])
    #expect(dry.code == 0, "\(dry.output)")
    for part in ["prelude", "core", "coda", "dropped"] {
      #expect(dry.json?["layers"]?[part] == run.json?["proposal"]?[part])
    }
    let page = try outcome(Layers.self, arguments)
    #expect(page.output.contains("\nproposed: --select \(select), dropping "))
    #expect(page.notes.contains("next: ckpt retrofit \(path) --select \(select) -o PACKAGE\n"))
    #expect(page.output.contains(String(repeating: "█", count: 32)))
    #expect(page.output.split(separator: "\n").count == 1 + 1 + Self.layers + 1)
  }

  @Test(
    "impossible counts and too little text are refused",
    arguments: [
      (["0", "4", "2"], "12", "select.empty"), (["2", "-1", "2"], "12", "select.empty"),
      (["4", "4", "4"], "12", "select.too_many"), (["2", "4", "2"], "25", "usage"),
    ])
  func refused(counts: [String], length: String, code: String) throws {
    let (path, text) = try model("tiny-llama")
    let run = try outcome(
      Layers.self,
      [path, "--data", text, "--sequence-length", length, "--json", "--prelude=\(counts[0])"]
        + ["--core=\(counts[1])", "--coda=\(counts[2])"])
    #expect(run.code == 64)
    #expect(run.json?["errors"]?.array?.first?["code"]?.string == code)
    #expect(throws: (any Error).self) {
      try Layers.parse([path, "--data", text, "--prelude", "2"])
    }
  }

  @Test("a recurrent model is refused")
  func recurrent() throws {
    let run = try outcome(
      Layers.self,
      [Fixtures.path("golden/tiny-llama/retrofit"), "--data", folder.file("none"), "--json"])
    #expect(run.code == 4)
    #expect(run.json?["errors"]?.array?.first?["code"]?.string == "model.already_recurrent")
  }
}
