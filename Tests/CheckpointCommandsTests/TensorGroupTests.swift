import ByteIO
import Tensors
import Testing

@testable import CheckpointCommands

@Suite("tensors as lines of inspect")
struct TensorGroupTests {
  private func lines(_ names: [String]) -> [String] {
    let records = names.map {
      TensorRecord(
        name: TensorName($0), type: .element(.f32), shape: [2], byteCount: 8, file: "", offset: 0)
    }
    return TensorGroup.groups(of: records).map { "\($0.name) \($0.count) \($0.byteCount)" }
  }

  @Test("layers and their experts are one line")
  func experts() {
    let names = (0..<3).flatMap { layer in
      (0..<4).map { "layers.\(layer).mlp.experts.\($0).up.weight" } + [
        "layers.\(layer).norm.weight"
      ]
    }
    #expect(
      lines(names) == [
        "layers.{0-2}.mlp.experts.{0-3}.up.weight 12 96", "layers.{0-2}.norm.weight 3 24",
      ])
  }

  @Test("layers with other experts are lines of their own; no line claims what is not there")
  func ragged() {
    #expect(
      lines(["l.0.e.0", "l.0.e.1", "l.1.e.0", "l.2.e.0", "l.2.e.1"])
        == ["l.{0,2}.e.{0-1} 4 32", "l.1.e.0 1 8"])
    #expect(lines(["l.0.a.0.b.1", "l.0.a.1.b.0"]) == ["l.0.a.0.b.1 1 8", "l.0.a.1.b.0 1 8"])
  }

  @Test("names without numbers, and numbers that are not written as such")
  func plain() {
    #expect(
      lines(["head", "a.007.b", "a.07.b", "7"]) == [
        "head 1 8", "a.007.b 1 8", "a.07.b 1 8", "7 1 8",
      ])
  }
}
