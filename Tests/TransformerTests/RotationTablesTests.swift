import Kernels
import ModelGraph
import Testing

@testable import Transformer

@Suite("rotation tables")
struct RotationTablesTests {
  /// The frequencies of such a model change with every token beyond its original context.
  @Test("grow with the sequence, and not with each change of their frequencies")
  func dynamic() throws {
    let fixture = try FamilyFixture("llama-dynamic")
    let model = try Model(fixture.graph, from: fixture.checkpoint, on: try Compute(1))
    let rotary = try #require(model.network.rotaries.first)
    guard case .dynamic(_, let original) = rotary.scaling else {
      Issue.record("\(rotary)")
      return
    }
    var tables = RotationTables()
    for length in original...original + 40 {
      try tables.prepare(model.network, length: length, isGrowing: true)
      let positions = try #require(tables.tables.first).positions
      #expect(positions >= length && positions <= 2 * max(length, 64), "\(length)")
    }
  }
}
