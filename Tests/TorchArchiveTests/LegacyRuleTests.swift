import ByteIO
import Tensors
import Testing

@testable import TorchArchive

@Suite("PyTorch files from before 1.6")
struct LegacyRuleTests {
  static let legacy = LegacyBytes()
  static let tar = TarBytes()

  private static func tensor(_ storage: [UInt8], sizes: [Int] = [2, 3]) -> [UInt8] {
    Pickle.dictionary([("w", Pickle.tensor(storage, sizes: sizes))])
  }

  private static func view(_ offset: Int, _ count: Int) -> [UInt8] {
    Pickle.tuple(Pickle.text("v"), Pickle.int(offset), Pickle.int(count))
  }

  static let refused: [Refused] = [
    .init(59, "pt.legacy_magic", "another magic number", legacy.bytes { $0.magic[4] = 0 }),
    .init(59, "pt.legacy_magic", "a small magic number", legacy.bytes { $0.magic = Pickle.int(5) }),
    .init(
      59, "pt.legacy_protocol", "protocol 1000", legacy.bytes { $0.version = Pickle.int(1000) }),
    .init(
      59, "pickle.type", "a protocol that is text",
      legacy.bytes { $0.version = Pickle.text("1001") }),
    .init(
      60, "pickle.type", "system information that is a list",
      legacy.bytes { $0.system = Pickle.emptyList }),
    .init(
      61, "pt.legacy_storages", "a key that nobody mentions",
      legacy.bytes { $0.keys = Pickle.list(Pickle.text("0"), Pickle.text("1")) }),
    .init(
      61, "pt.legacy_storages", "no key for a storage",
      legacy.bytes {
        $0.keys = Pickle.emptyList
        $0.storages = []
      }),
    .init(
      61, "pt.legacy_storages", "a key twice",
      legacy.bytes {
        $0.keys = Pickle.list(Pickle.text("0"), Pickle.text("0"))
        $0.storages.append($0.storages[0])
      }),
    .init(
      61, "pt.legacy_storages", "another count than mentioned",
      legacy.bytes { $0.storages[0].count = 5 }),
    .init(61, "pt.legacy_storages", "a count of -1", legacy.bytes { $0.storages[0].count = -1 }),
    .init(
      61, "pt.legacy_storages", "a storage cut off",
      legacy.bytes { $0.storages[0].bytes.removeLast() }),
    .init(61, "pt.legacy_storages", "no storage at all", legacy.bytes { $0.storages = [] }),
    .init(61, "pickle.truncated", "cut off inside the object", Array(legacy.bytes().prefix(120))),
    .init(
      61, "pickle.truncated", "cut off after the magic number", Array(legacy.bytes().prefix(15))),
    .init(
      62, "pt.view_offset", "a storage's view beyond its storage",
      legacy.bytes { $0.object = tensor(Pickle.storage(more: view(3, 4)), sizes: [1, 3]) }),
    .init(
      62, "pt.view_past_end", "a tensor beyond its storage's view",
      legacy.bytes { $0.object = tensor(Pickle.storage(more: view(3, 3))) }),
    .init(
      62, "pt.view_offset", "a storage's view at 2^63 - 1",
      legacy.bytes { $0.object = tensor(Pickle.storage(more: view(.max, 1)), sizes: [1, 1]) }),
    .init(63, "pt.tar", "no member pickle", tar.bytes { $0.pickleName = "other" }),
    .init(63, "pt.tar", "a member outside", tar.bytes { $0.pickleName = "../pickle" }),
    .init(63, "pt.tar", "an absolute member", tar.bytes { $0.pickleName = "/pickle" }),
    .init(63, "pt.tar", "a symbolic link", tar.bytes { $0.kind = UInt8(ascii: "2") }),
    .init(63, "pt.tar", "no end", tar.bytes { $0.ending = [] }),
    .init(63, "pt.tar", "a wrong checksum", damagedTar),
    .init(63, "pt.tar", "cut off inside a member", Array(tar.bytes().prefix(1100))),
    .init(
      63, "pt.tar", "a storage count of 2^40",
      tar.bytes { $0.storages = Pickle.document(Pickle.int(1 << 40)) }),
    .init(
      63, "pt.tar", "a storage cut off", tar.bytes { $0.storages = Array($0.storages.dropLast(12)) }
    ),
    .init(
      63, "pt.storage_missing", "a tensor of no storage",
      tar.bytes { $0.tensors = TarBytes.tensorTable(sizes: [1], strides: [1], storage: 78) }),
    .init(
      63, "pt.view_past_end", "a tensor beyond its storage",
      tar.bytes { $0.tensors = TarBytes.tensorTable(sizes: [7], strides: [1]) }),
    .init(
      64, "pt.bare_pickle", "a pickle of a dictionary",
      Pickle.document(Pickle.dictionary([("a", Pickle.none)]))),
    .init(
      64, "pt.bare_pickle", "a pickle of NumPy arrays",
      Pickle.document(
        Pickle.call(Pickle.global("numpy.core.multiarray", "_reconstruct"), Pickle.none))),
    .init(64, "pt.not_torch", "a safetensors file", little(UInt64(8)) + Array("{}      ".utf8)),
    .init(64, "pt.not_torch", "an HTML page", Array("<!DOCTYPE html><html>not found</html>".utf8)),
    .init(64, "pt.not_torch", "no byte at all", []),
    .init(
      64, "pt.distributed_checkpoint", "a DCP part", TorchBytes().bytes(), path: "x/__0_0.distcp"),
    .init(
      64, "pt.distributed_checkpoint", "a DCP index", Pickle.document(Pickle.none),
      path: "x/.metadata"),
    .init(
      64, "pt.deepspeed", "optimizer states, by the name", TorchBytes().bytes(),
      path: "zero_pp_rank_0_mp_rank_00_optim_states.pt"),
    .init(
      64, "pt.deepspeed", "optimizer states, by the keys",
      deepSpeed([("optimizer_state_dict", Pickle.dictionary([("w", Pickle.tensor())]))])),
    .init(
      64, "pt.deepspeed", "one of two tensor-parallel parts",
      deepSpeed([
        ("mp_world_size", Pickle.int(2)), ("module", Pickle.dictionary([("w", Pickle.tensor())])),
      ])),
    .init(
      64, "pt.deepspeed", "placeholders of ZeRO-3",
      deepSpeed([("module", Pickle.dictionary([("w", Pickle.tensor(sizes: [0], strides: [1]))]))])),
  ]

  private static let damagedTar: [UInt8] = {
    var bytes = tar.bytes()
    bytes[0] ^= 1
    return bytes
  }()

  private static func deepSpeed(_ items: [(String, [UInt8])]) -> [UInt8] {
    TorchBytes.pickle(
      Pickle.document(Pickle.dictionary([("ds_version", Pickle.text("0.16"))] + items)))
  }

  @Test("PT-34, PT-50, PT-51, PT-53, PT-55, PT-56, PT-57: refuses", arguments: refused)
  func refuses(_ sample: Refused) { #expect(sample.verdict() == sample.code) }

  @Test("a legacy file gives its tensors where they lie")
  func reads() throws {
    let bytes = Self.legacy.bytes()
    let file = try TorchFile(ByteRegion(bytes))
    #expect(file.layout == .legacy)
    #expect(file.tensors[0].offset == bytes.count - 24)
    #expect(try file.data(0) == TorchBytes.floats(6))
    #expect(file.warnings.isEmpty)
  }

  @Test("PT-52: storages are little-endian whatever machine wrote them, so nothing is swapped")
  func bigEndian() throws {
    let file = try TorchFile(
      ByteRegion(
        Self.legacy.bytes { $0.system = Pickle.dictionary([("little_endian", Pickle.no)]) }))
    #expect(try file.data(0) == TorchBytes.floats(6))
  }

  @Test("62: a view of a storage shifts its tensors")
  func storageView() throws {
    let file = try TorchFile(
      ByteRegion(
        Self.legacy.bytes {
          $0.object = Self.tensor(Pickle.storage(more: Self.view(2, 3)), sizes: [1, 3])
        }))
    #expect(try file.data(0) == Array(TorchBytes.floats(6)[8..<20]))
  }

  @Test("bytes after the last storage are a warning")
  func trailing() throws {
    let file = try TorchFile(ByteRegion(Self.legacy.bytes { $0.trailing = [1, 2] }))
    #expect(file.warnings.map(\.code) == ["pt.trailing"])
  }

  @Test("pickles longer than the first window are read")
  func longPickle() throws {
    let file = try TorchFile(
      ByteRegion(
        Self.legacy.bytes {
          $0.object = Pickle.dictionary([
            ("text", Pickle.text(String(repeating: "x", count: 300_000))),
            ("w", Pickle.tensor(Pickle.storage(more: Pickle.none))),
          ])
        }))
    #expect(try file.data(0) == TorchBytes.floats(6))
  }

  @Test("63: a tar file gives its tensors, gathered by their strides")
  func tar() throws {
    let file = try TorchFile(ByteRegion(Self.tar.bytes()))
    #expect(file.layout == .tar)
    #expect(file.tensors.map(\.name.string) == ["w"])
    #expect(file.tensors[0].shape == [3, 2])
    let wanted: [Float] = [0, 3, 1, 4, 2, 5]
    #expect(try file.data(0) == wanted.flatMap { little($0.bitPattern) })
  }

  @Test("64: Lightning and DeepSpeed files with the weights are read, and it is said")
  func programs() throws {
    func codes(_ items: [(String, [UInt8])]) throws -> [String] {
      let bytes = TorchBytes.pickle(Pickle.document(Pickle.dictionary(items)))
      return try TorchFile(ByteRegion(bytes)).warnings.map(\.code)
    }
    let weights = Pickle.dictionary([("w", Pickle.tensor())])
    #expect(
      try codes([("pytorch-lightning_version", Pickle.text("2.5")), ("state_dict", weights)])
        == ["pt.nested", "pt.lightning"])
    #expect(
      try codes([
        ("module", weights), ("ds_config", Pickle.op("}")), ("mp_world_size", Pickle.int(1)),
      ])
        == ["pt.nested", "pt.deepspeed"])
  }

  @Test("PT-31, PT-32: which dictionary is taken")
  func nesting() throws {
    func names(_ items: [(String, [UInt8])]) throws -> [String] {
      let bytes = TorchBytes.pickle(Pickle.document(Pickle.dictionary(items)))
      return try TorchFile(ByteRegion(bytes)).tensors.map(\.name.string)
    }
    let tensor = Pickle.tensor()
    let weights = Pickle.dictionary([("w", tensor)])
    // A tensor may itself be called like one of the keys.
    #expect(try names([("model", tensor), ("net", tensor)]) == ["model", "net"])
    #expect(try names([("state_dict", Pickle.dictionary([("model", weights)]))]) == ["w"])
    #expect(try names([("model", Pickle.op("}")), ("module", weights)]) == ["w"])
    #expect(try names([("a", weights), ("b", weights), ("optimizer", weights)]) == ["a.w", "b.w"])
    #expect(
      try names([("module.a", tensor), ("module.b", tensor)]) == ["a", "b"])
    #expect(
      try names([("module.a", tensor), ("b", tensor)]) == ["module.a", "b"])
  }
}
