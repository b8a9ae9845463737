import ByteIO
import Compression
import Foundation
import Tensors
import TestSupport
import Testing

@testable import TorchArchive

@Suite("PyTorch writer")
struct TorchWriterTests {
  private func write(
    _ layout: TorchLayout, _ body: (inout TorchWriter) throws -> Void
  ) throws -> [UInt8] {
    let folder = TemporaryFolder()
    let path = folder.file("out.pt")
    var writer = try TorchWriter(creating: path, layout: layout)
    try body(&writer)
    let written = try writer.finish()
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    #expect(written.byteCount == bytes.count)
    #expect(layout.byteCount == bytes.count)
    return bytes
  }

  /// The tensors of `file` in their order, and a second name for one of them.
  private func layout(of file: TorchFile, again name: TensorName) throws -> TorchLayout {
    var tensors: [TorchLayout.Tensor] = []
    for record in file.tensors {
      guard case .element(let type) = record.type else { continue }
      tensors.append(.init(name: record.name, type: type, shape: record.shape))
    }
    var again = try #require(tensors.first { $0.name == name })
    again.name = "again"
    again.tie = name
    return try TorchLayout(tensors + [again])
  }

  private func fixture(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: Fixtures.path("torch/" + name))))
  }

  @Test("PT-60, PT-61, PT-62, PT-63, PT-65: the bytes that an independent program derives")
  func equalsFixture() throws {
    let file = try TorchFile(TorchFixture.named("types.pt").region)
    let layout = try layout(of: file, again: "F32")
    let bytes = try write(layout) { writer in
      for i in file.tensors.indices { try writer.copy(#require(file.region(of: i))) }
    }
    #expect(try bytes == fixture("written.pt"))
    let again = try TorchFile(ByteRegion(bytes))
    let place = try #require(again.index("again"))
    #expect(again.ties == [place: try #require(again.index("F32"))])
    try again.check()
  }

  @Test("pieces of any size, across the borders of tensors")
  func pieces() throws {
    let file = try TorchFile(TorchFixture.named("types.pt").region)
    let all = try file.tensors.indices.flatMap { try file.data($0) }
    let bytes = try write(layout(of: file, again: "F32")) { writer in
      for start in stride(from: 0, to: all.count, by: 77) {
        try writer.write(Array(all[start..<min(all.count, start + 77)]).rawSpan)
      }
    }
    #expect(try bytes == fixture("written.pt"))
  }

  @Test("nothing, empty tensors, scalars and four dimensions are read back")
  func shapes() throws {
    #expect(try write(TorchLayout([])) { _ in }.count == TorchLayout([]).byteCount)
    let tensors = [
      TorchLayout.Tensor(name: "", type: .f32, shape: [0, 3]),
      TorchLayout.Tensor(name: "\u{e9}", type: .f16, shape: []),
      TorchLayout.Tensor(name: "e\u{301}", type: .u8, shape: [1, 2, 1, 300]),
    ]
    let layout = try TorchLayout(tensors)
    let data = (0..<602).map { UInt8(truncatingIfNeeded: $0) }
    let file = try TorchFile(ByteRegion(write(layout) { try $0.write(data.rawSpan) }))
    #expect(file.warnings.isEmpty)
    #expect(Set(file.tensors.map(\.name)) == Set(tensors.map(\.name)))
    for tensor in tensors {
      let record = try #require(file.tensors.first { $0.name == tensor.name })
      #expect(record.shape == tensor.shape)
      #expect(try #require(record.offset) % 64 == 0)
    }
    #expect(try file.data(try #require(file.index("e\u{301}"))) == Array(data[2...]))
  }

  @Test("PT-60: a thousand items to each SETITEMS")
  func batches() throws {
    let tensors = (0..<2001).map {
      TorchLayout.Tensor(name: TensorName("t\($0)"), type: .u8, shape: [])
    }
    let bytes = try write(TorchLayout(tensors)) {
      try $0.write([UInt8](repeating: 7, count: 2001).rawSpan)
    }
    #expect(try TorchFile(ByteRegion(bytes)).tensors.count == 2001)
  }

  @Test("PT-64: sizes and positions beyond 32 bits are in the zip64 fields")
  func large() throws {
    let layout = try TorchLayout([
      .init(name: "a", type: .u8, shape: [1 << 33]), .init(name: "b", type: .u8, shape: [3]),
      .init(name: "c", type: .u8, shape: [0xFFFF_FFFE]),
      .init(name: "d", type: .u8, shape: [0xFFFF_FFFF]),
    ])
    // The archive without its tensors' bytes, to be read as a sparse file would be.
    let a = try #require(layout.records.first { $0.entry.name == "archive/data/0" }).entry
    let header = a.localHeader(alignment: 64)
    #expect(Array(header[18..<26]) == [UInt8](repeating: 0xFF, count: 8))
    #expect(Array(header[44..<48]) == [1, 0, 16, 0])
    #expect(a.descriptor.count == 24)
    let sizes = layout.records.filter { $0.contents == nil }.map(\.entry.descriptor.count)
    #expect(sizes == [24, 16, 16, 24])
    #expect(layout.entries.map { $0.range.lowerBound % 64 } == [0, 0, 0, 0])
    let path = try sparse(layout)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let file = try TorchFile(ByteRegion(path: path))
    #expect(file.tensors.map(\.byteCount) == [1 << 33, 3, 0xFFFF_FFFE, 0xFFFF_FFFF])
    #expect(file.tensors.map(\.offset) == layout.entries.map(\.range.lowerBound))
  }

  /// The file of a layout whose tensors are holes of the file system.
  private func sparse(_ layout: TorchLayout) throws -> String {
    let path = FileManager.default.temporaryDirectory.path + "/ckpt-\(UUID().uuidString).pt"
    let output = try PositionedOutput(creating: path, byteCount: layout.byteCount)
    var entries: [ZipEntry] = []
    for record in layout.records {
      var entry = record.entry
      if let contents = record.contents {
        entry.checksum = crc32(contents.rawSpan)
        try output.write(contents.rawSpan, at: entry.dataOffset)
      }
      try output.write(entry.localHeader(alignment: 64).rawSpan, at: entry.headerOffset)
      try output.write(entry.descriptor.rawSpan, at: entry.range.upperBound)
      entries.append(entry)
    }
    let last = try #require(entries.last)
    let end = last.range.upperBound + last.descriptor.count
    try output.write(zipDirectory(entries, at: end).rawSpan, at: end)
    return path
  }

  static let refused: [(code: String, TorchLayout.Tensor)] = [
    ("pt.no_storage", .init(name: "a", type: .f4, shape: [2])),
    ("pt.no_storage", .init(name: "a", type: .f6E2M3, shape: [4])),
    ("pt.overflow", .init(name: "a", type: .f32, shape: [1 << 61])),
    ("pt.overflow", .init(name: "a", type: .f32, shape: [0, 1 << 62, 4])),
    ("pt.overflow", .init(name: "a", type: .f32, shape: [-1])),
  ]

  @Test("PT-61: refuses what the format cannot hold", arguments: refused.indices)
  func refuses(_ index: Int) {
    let (code, tensor) = Self.refused[index]
    let error = #expect(throws: TorchError.self) { _ = try TorchLayout([tensor]) }
    #expect(error?.code == code)
    #expect(error?.tensor == "a")
  }

  @Test("pt.duplicate_name: a name used twice")
  func twice() {
    let tensor = TorchLayout.Tensor(name: "a", type: .f32, shape: [1])
    #expect(throws: TorchError(.tensor(.nameTwice), tensor: "a")) {
      _ = try TorchLayout([tensor, tensor])
    }
  }
}
