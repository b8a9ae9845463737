import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoint

@Suite("embedded model")
struct EmbeddedModelTests {
  let path = Fixtures.path("tiny-arithmetic")

  @Test("is small, twelve layers deep, and as large as the script that made it says")
  func sizes() throws {
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.config?["num_hidden_layers"]?.integer == 12)
    let figures = try JSONValue(
      parsing: Array(Data(contentsOf: URL(filePath: Fixtures.path("text/figures.json")))))
    let count = checkpoint.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
    #expect(figures.object?["parameters"]?.integer == count)

    let files = try FileManager.default.contentsOfDirectory(
      at: URL(filePath: path), includingPropertiesForKeys: [.fileSizeKey])
    let size = try files.reduce(0) {
      try $0 + ($1.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0)
    }
    #expect(size > 0 && size <= 2 << 20)
  }
}
