import ByteIO
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoint

@Suite("GGUF checkpoints")
struct GGUFTests {
  @Test("a split set is opened whole, by any of its files or its folder")
  func split() throws {
    let folder = TemporaryFolder()
    let names = (1...3).map { "split-0000\($0)-of-00003.gguf" }
    for name in names {
      try FileManager.default.copyItem(
        atPath: Fixtures.path("gguf/" + name), toPath: folder.file(name))
    }
    let whole = try Checkpoint.open(folder.path)
    #expect(whole.format == .gguf)
    #expect(whole.inputs == names.map(folder.file))
    #expect(whole.sideFiles.isEmpty && whole.warnings.isEmpty)
    #expect(whole.metadata?["split.count"] == 3)
    #expect(try Checkpoint.open(folder.file(names[1])).tensors == whole.tensors)
  }

  @Test("quantised blocks are read as floats, from any element on")
  func blocks() throws {
    let checkpoint = try Checkpoint.open(Fixtures.path("gguf/types.gguf"))
    let expected = try ByteRegion(path: Fixtures.path("gguf/types.f32")).contents(limit: 1 << 20)
    var position = 0
    for record in checkpoint.tensors {
      guard case .block = record.type else { continue }
      for range in [0..<record.elementCount, 5..<(record.elementCount - 3)] {
        var values = [Float](repeating: 0, count: range.count)
        var span = values.mutableSpan
        try checkpoint.readFloats(record.name, elements: range, into: &span)
        var reader = ByteReader(expected.rawSpan, at: position + 4 * range.lowerBound)
        for value in values {
          #expect(try reader.read(UInt32.self) == value.bitPattern, "\(record.name)")
        }
      }
      position += 4 * record.elementCount
    }
    #expect(position == expected.count)
  }
}
