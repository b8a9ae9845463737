import ByteIO
import Safetensors
import Tensors
import TestSupport
import Testing

@Suite("safetensors: damaged files")
struct MutationTests {
  static let layout = Result {
    try SafetensorsLayout(LayoutTests.mixed, metadata: [("format", "pt"), ("é", "\n")])
  }

  /// What any accepted file must satisfy, from the definition of the format alone.
  static func isCovered(_ file: SafetensorsFile, byteCount: Int) -> Bool {
    var end = file.tensors.first?.offset ?? byteCount
    for tensor in file.tensors {
      guard tensor.offset == end, case .element(let type) = tensor.type,
        tensor.elementCount * type.bitWidth == tensor.byteCount * 8
      else { return false }
      end += tensor.byteCount
    }
    return end == byteCount
  }

  @Test("an error, or tensors that cover the data", arguments: [1, 100_001] as [UInt64])
  func mutations(_ firstSeed: UInt64) throws {
    let layout = try Self.layout.get()
    let data = (0..<(layout.byteCount - layout.header.count)).map { UInt8(truncatingIfNeeded: $0) }
    var accepted = 0
    for (seed, bytes) in Mutations(of: layout.header + data, count: 10000, firstSeed: firstSeed) {
      guard let file = try? SafetensorsFile(ByteRegion(bytes)) else { continue }
      accepted += 1
      #expect(Self.isCovered(file, byteCount: bytes.count), "seed \(seed)")
      readTensors(of: file)
    }
    // Changes of data bytes alone are no damage to the table.
    #expect(accepted > 100)
  }

  @Test("every prefix of a file is refused, and none but the whole accepted")
  func prefixes() throws {
    let layout = try Self.layout.get()
    let whole = layout.header + [UInt8](repeating: 7, count: layout.byteCount - layout.header.count)
    for count in 0..<whole.count {
      #expect(throws: SafetensorsError.self) {
        _ = try SafetensorsFile(ByteRegion(Array(whole.prefix(count))))
      }
    }
    _ = try SafetensorsFile(ByteRegion(whole))
  }
}
