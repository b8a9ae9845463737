import ByteIO
import Tensors
import TestSupport
import Testing

@testable import GGUF

@Suite("GGUF mutations")
struct MutationTests {
  @Test("damaged files give an error or a table within the file", arguments: ["types", "llama"])
  func mutations(_ name: String) throws {
    let original = try fixture(name + ".gguf")
    var refused = 0
    for (seed, bytes) in Mutations(of: original, count: 3000) {
      do {
        let file = try GGUFFile(ByteRegion(bytes))
        for (i, tensor) in file.tensors.enumerated() {
          let region = try #require(file.region(of: i), "seed \(seed)")
          #expect(region.byteCount == tensor.byteCount, "seed \(seed)")
        }
      } catch is GGUFError { refused += 1 }
    }
    #expect(refused > 300)
  }
}
