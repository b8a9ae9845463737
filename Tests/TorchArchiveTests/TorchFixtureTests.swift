import ByteIO
import JSON
import Tensors
import TestSupport
import Testing

@testable import TorchArchive

/// A file of `fixtures/torch`, and what PyTorch reads from it.
struct TorchFixture: CustomTestStringConvertible, Sendable {
  struct Tensor: Sendable {
    var name: String
    var type: String
    var shape: [Int]
    var data: [UInt8]
  }

  var file: String
  var tensors: [Tensor]

  var testDescription: String { file }
  var region: ByteRegion { get throws { try ByteRegion(path: Fixtures.path("torch/" + file)) } }

  static let all: [TorchFixture] = {
    guard let region = try? ByteRegion(path: Fixtures.path("torch/expected.json")),
      let bytes = try? region.contents(limit: 1 << 20), let json = try? JSONValue(parsing: bytes)
    else { return [] }
    return (json.object?.members ?? []).map { member in
      TorchFixture(file: member.key, tensors: (member.value.array ?? []).compactMap(tensor))
    }
  }()

  static func named(_ file: String) throws -> TorchFixture {
    try #require(all.first { $0.file == file })
  }

  private static func tensor(_ json: JSONValue) -> Tensor? {
    guard let name = json["name"]?.string, let type = json["dtype"]?.string,
      let shape = json["shape"]?.array, let data = json["data"]?.string
    else { return nil }
    return Tensor(
      name: name, type: type, shape: shape.compactMap(\.integer), data: bytes(hexadecimal: data))
  }

  private static func bytes(hexadecimal text: String) -> [UInt8] {
    let digits = Array(text)
    return stride(from: 0, to: digits.count, by: 2).compactMap {
      UInt8(String(digits[$0...($0 + 1)]), radix: 16)
    }
  }
}

extension TorchFile {
  /// All bytes of a tensor, read in pieces of `piece` bytes.
  func data(_ index: Int, piece: Int = .max) throws -> [UInt8] {
    var all: [UInt8] = []
    let count = tensors[index].byteCount
    while all.count < count {
      var part = [UInt8](repeating: 0xEE, count: min(piece, count - all.count))
      var raw = part.mutableRawSpan
      try read(index, at: all.count, into: &raw)
      all += part
    }
    return all
  }

  func index(_ name: String) -> Int? { tensors.firstIndex { $0.name == TensorName(name) } }
}

@Suite("PyTorch files that torch.save wrote")
struct TorchFixtureTests {
  @Test("there are fixtures") func present() { #expect(TorchFixture.all.count >= 18) }

  @Test("give the tensors that PyTorch reads", arguments: TorchFixture.all)
  func agrees(_ fixture: TorchFixture) throws {
    let file = try TorchFile(fixture.region)
    #expect(Set(file.tensors.map(\.name.string)) == Set(fixture.tensors.map(\.name)))
    for wanted in fixture.tensors {
      let index = try #require(file.index(wanted.name))
      let record = file.tensors[index]
      #expect(record.type.description == wanted.type, "\(wanted.name)")
      #expect(record.shape == wanted.shape, "\(wanted.name)")
      #expect(record.byteCount == wanted.data.count, "\(wanted.name)")
      for piece in [Int.max, 7, 3] {
        #expect(try file.data(index, piece: piece) == wanted.data, "\(wanted.name) by \(piece)")
      }
    }
    try file.check()
  }

  @Test("tell where the bytes lie, or that they do not lie there", arguments: TorchFixture.all)
  func offsets(_ fixture: TorchFixture) throws {
    let region = try fixture.region
    let file = try TorchFile(region)
    for (i, record) in file.tensors.enumerated() {
      #expect((record.offset == nil) == (file.region(of: i) == nil))
      guard let offset = record.offset else { continue }
      let bytes = try region.bytes(offset..<(offset + record.byteCount))
      #expect(bytes == (try file.data(i)), "\(record.name)")
    }
  }

  @Test("are read the same from inside another file")
  func embedded() throws {
    let fixture = try TorchFixture.named("types.pt")
    let bytes = try fixture.region.contents(limit: 1 << 20)
    let outer = ByteRegion([UInt8](repeating: 1, count: 100) + bytes + [2, 3])
    let inner = try #require(outer.subregion(100..<(100 + bytes.count)))
    let file = try TorchFile(inner)
    let plain = try TorchFile(fixture.region)
    for i in file.tensors.indices {
      #expect(try file.data(i) == plain.data(i))
      #expect(file.tensors[i].offset == plain.tensors[i].offset.map { $0 + 100 })
    }
  }

  @Test("PT-31: a training checkpoint gives its model, without wrappers' prefixes, and says so")
  func checkpoint() throws {
    for name in ["checkpoint.pt", "checkpoint-legacy.pt"] {
      let file = try TorchFile(TorchFixture.named(name).region)
      #expect(file.warnings.map(\.code) == ["pt.nested", "pt.prefix"])
      #expect(file.warnings.last?.message.contains("module._orig_mod.") == true)
    }
  }

  @Test("PT-33: other keys and values are named or left out, and it is said")
  func mixed() throws {
    let file = try TorchFile(TorchFixture.named("mixed.pt").region)
    #expect(file.warnings.map(\.code) == ["pt.ignored"])
    #expect(file.warnings[0].message.contains("lr"))
  }

  @Test("PT-47 pt.tied, pt.shared_storage: equal views are ties (55), others tensors (56)")
  func ties() throws {
    for name in ["tied.pt", "tied-legacy.pt", "protocol4.pt", "no-crc.pt"] {
      let file = try TorchFile(TorchFixture.named(name).region)
      #expect(file.ties == [1: 0])
      #expect(file.warnings.map(\.code).contains("pt.tied"))
    }
    let file = try TorchFile(TorchFixture.named("shared.pt").region)
    #expect(file.tensors.map(\.name.string) == ["q", "k", "tied", "v"])
    #expect(file.ties == [2: 1])
    #expect(file.warnings.map(\.code) == ["pt.tied", "pt.shared_storage"])
  }

  @Test("PT-11: an archive without CRC-32 is read, with a warning")
  func noChecksum() throws {
    let file = try TorchFile(TorchFixture.named("no-crc.pt").region)
    #expect(file.warnings.map(\.code).contains("zip.no_crc"))
  }

  @Test("name the layout and the byte order (24)")
  func layout() throws {
    #expect(try TorchFile(TorchFixture.named("types.pt").region).layout == .zip)
    #expect(try TorchFile(TorchFixture.named("types-legacy.pt").region).layout == .legacy)
    #expect(try TorchFile(TorchFixture.named("big-endian.pt").region).isBigEndian)
  }
}
