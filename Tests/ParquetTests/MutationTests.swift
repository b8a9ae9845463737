import ByteIO
import TestSupport
import Testing

@testable import Parquet

@Suite("Parquet mutations")
struct MutationTests {
  @Test(
    "damaged files give an error, or as many rows as they state",
    arguments: [
      "pages-v2", "codec-snappy", "delta-strings", "delta-binary-v2", "nested-pages", "nested-v2",
      "groups", "types-v1", "small",
    ])
  func mutations(_ name: String) throws {
    let original = try fixtureBytes(name + ".parquet")
    var refused = 0
    for (seed, bytes) in Mutations(of: original, count: 400) {
      do {
        let file = try ParquetFile(ByteRegion(bytes))
        #expect(try file.rows().count == file.rowCount, "seed \(seed)")
      } catch is ParquetError { refused += 1 }
    }
    #expect(refused > 100)
  }
}
