import ByteIO
import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Checkpoint

@Suite("large checkpoints")
struct LargeCheckpointTests {
  /// Twenty sparse shards of five gigabytes, forty tensors each.
  static func write(to folder: TemporaryFolder) throws {
    var map: [(String, String)] = []
    for shard in 1...20 {
      let name = ShardName(stem: "model", number: shard, count: 20, ending: ".safetensors")
      let tensors = (0..<40).map {
        SafetensorsLayout.Tensor(
          name: TensorName("layers.\(shard).\($0).weight"), type: .bf16, shape: [8192, 7680])
      }
      let layout = try SafetensorsLayout(tensors)
      let path = try folder.write(layout.header, to: name.description)
      let file = try FileHandle(forWritingTo: URL(filePath: path))
      try file.truncate(atOffset: UInt64(layout.byteCount))
      try file.close()
      map += tensors.map { ($0.name.string, name.description) }
    }
    try folder.write(CheckpointTests.index(map), to: "model.safetensors.index.json")
  }

  @Test("opening 100 GB reads the headers alone")
  func sparse() throws {
    let folder = TemporaryFolder()
    try Self.write(to: folder)
    let clock = ContinuousClock()
    var best = Duration.seconds(60)
    for _ in 0..<3 {
      try best = min(
        best,
        clock.measure {
          let checkpoint = try Checkpoint.open(folder.path)
          #expect(checkpoint.tensors.count == 800)
          #expect(checkpoint.tensors.reduce(0) { $0 + $1.byteCount } > 100_000_000_000)
        })
    }
    // Reading the data would take a minute; an unoptimised build takes some 60 ms for the headers.
    #expect(best < .milliseconds(1000))
  }
}
