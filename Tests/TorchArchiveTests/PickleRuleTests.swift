import ByteIO
import Tensors
import Testing

@testable import TorchArchive

@Suite("pickle of a PyTorch file")
struct PickleRuleTests {
  private static func pickle(
    _ row: Int, _ code: String, _ what: String, _ pickle: [UInt8]
  ) -> Refused {
    Refused(row, code, what, TorchBytes.pickle(pickle))
  }

  private static func value(
    _ row: Int, _ code: String, _ what: String, _ value: [UInt8]
  ) -> Refused {
    pickle(row, code, what, Pickle.document(value))
  }

  private static let tensor = Pickle.tensor()

  static let refused: [Refused] = frame + stack + calls + containers

  static let frame: [Refused] = [
    pickle(29, "pickle.truncated", "no byte at all", []),
    pickle(29, "pickle.truncated", "no STOP", [0x80, 2] + Pickle.none),
    pickle(29, "pickle.truncated", "ends inside an argument", [0x80, 2] + Pickle.op("J") + [1]),
    value(34, "pickle.truncated", "a string of 4 GB", Pickle.op("X") + little(UInt32.max)),
    value(34, "pickle.truncated", "a string of 2^63", [0x8D] + little(UInt64(1) << 63)),
    value(34, "pickle.truncated", "bytes of 2^64 - 1", [0x8E] + little(UInt64.max)),
    value(34, "pickle.truncated", "a frame of 2^64 - 1", [0x95] + little(UInt64.max)),
    value(34, "pickle.truncated", "a name without its newline", Pickle.op("c") + Array("os".utf8)),
    value(35, "pickle.truncated", "LONG4 of 4 GB", [0x8B] + little(UInt32.max)),
    value(
      35, "pickle.integer", "LONG1 of 255 bytes as a storage's size",
      Pickle.dictionary([("w", Pickle.tensor(hugeCount))])),
    value(37, "pickle.protocol", "a second PROTO inside", [0x80, 2] + Pickle.none),
    pickle(37, "pickle.protocol", "protocol 255", Pickle.document(Pickle.none, version: 255)),
    pickle(37, "pickle.protocol", "protocol 1", Pickle.document(Pickle.none, version: 1)),
    pickle(41, "pickle.trailing", "bytes after STOP", Pickle.state(("w", tensor)) + [0]),
    pickle(
      41, "pickle.trailing", "a second pickle",
      Pickle.state(("w", tensor)) + Pickle.document(Pickle.none)),
    value(
      0, "pickle.text", "a key that is not UTF-8",
      Pickle.op("}") + Pickle.op("U") + [1, 0xFF] + tensor + Pickle.op("s")),
  ]

  /// A storage whose element count has 255 bytes.
  private static let hugeCount =
    Pickle.op("(") + Pickle.text("storage") + Pickle.global("torch", "FloatStorage")
    + Pickle.text("0") + Pickle.text("cpu") + [0x8A, 255] + [UInt8](repeating: 1, count: 255)
    + Pickle.op("t") + Pickle.op("Q")

  static let stack: [Refused] = [
    value(30, "pickle.stack", "REDUCE of nothing", Pickle.op("R")),
    value(30, "pickle.stack", "BUILD of nothing", Pickle.op("b")),
    value(30, "pickle.stack", "TUPLE2 of one value", Pickle.none + [0x86]),
    value(30, "pickle.stack", "APPEND without a list", Pickle.none + Pickle.op("a")),
    value(30, "pickle.stack", "SETITEM of one value", Pickle.none + Pickle.none + Pickle.op("s")),
    value(30, "pickle.stack", "PUT of nothing", Pickle.put(0)),
    value(30, "pickle.stack", "POP of nothing", Pickle.op("0")),
    value(30, "pickle.stack", "DUP of nothing", Pickle.op("2")),
    value(30, "pickle.stack", "BINPERSID of nothing", Pickle.op("Q")),
    value(30, "pickle.stack", "STACK_GLOBAL of nothing", [0x93]),
    pickle(30, "pickle.stack", "STOP with nothing", [0x80, 2] + Pickle.op(".")),
    value(30, "pickle.stack", "STOP with two values", Pickle.none + Pickle.none),
    value(31, "pickle.stack", "TUPLE without a mark", Pickle.none + Pickle.op("t")),
    value(31, "pickle.stack", "SETITEMS without a mark", Pickle.op("}") + Pickle.op("u")),
    value(31, "pickle.stack", "a mark that nobody takes", Pickle.op("(") + Pickle.none),
    value(31, "pickle.stack", "a value from below the mark", Pickle.none + Pickle.op("(") + [0x85]),
    value(
      31, "pickle.stack", "an odd number for SETITEMS",
      Pickle.op("}") + Pickle.op("(") + Pickle.none + Pickle.op("u")),
    value(32, "pickle.memo", "an index that was never set", Pickle.get(7)),
    value(33, "pickle.memo", "an index of 2^32 - 1", Pickle.op("j") + little(UInt32.max)),
    value(0, "pickle.type", "APPEND to an integer", Pickle.int(1) + Pickle.none + Pickle.op("a")),
    value(
      0, "pickle.type", "REDUCE with a list",
      Pickle.global("a", "b") + Pickle.emptyList + Pickle.op("R")),
    value(0, "pickle.type", "a name made of integers", Pickle.int(1) + Pickle.int(2) + [0x93]),
  ]

  static let calls: [Refused] = [
    value(
      42, "pickle.opcode", "INST", Pickle.op("(") + Pickle.op("i") + Array("os\nsystem\n".utf8)),
    value(
      42, "pickle.opcode", "OBJ", Pickle.op("(") + Pickle.global("os", "system") + Pickle.op("o")),
    value(42, "pickle.opcode", "EXT1", [0x82, 1]),
    value(42, "pickle.opcode", "EXT2", [0x83, 1, 0]),
    value(42, "pickle.opcode", "EXT4", [0x84, 1, 0, 0, 0]),
    value(42, "pickle.opcode", "NEWOBJ_EX", [0x92]),
    value(42, "pickle.opcode", "PERSID", Pickle.op("P") + Array("x\n".utf8)),
    value(42, "pickle.opcode", "NEXT_BUFFER", [0x97]),
    value(42, "pickle.opcode", "a byte that is no opcode", [0xFE]),
    value(42, "pickle.opcode", "GET of the text protocols", Pickle.op("g") + Array("0\n".utf8)),
    value(
      42, "pt.no_tensors", "os.system",
      Pickle.call(Pickle.global("os", "system"), Pickle.text("id"))),
    value(
      42, "pt.no_tensors", "eval", Pickle.call(Pickle.global("builtins", "eval"), Pickle.text("1"))),
    value(
      42, "pt.no_tensors", "torch.load",
      Pickle.call(Pickle.global("torch", "load"), Pickle.text("x"))),
    value(
      42, "pt.no_tensors", "a getattr chain",
      Pickle.call(
        Pickle.call(
          Pickle.global("__builtin__", "getattr"), Pickle.global("os", "path"),
          Pickle.text("system")), Pickle.text("id"))),
    value(
      42, "pt.no_tensors", "BUILD on a foreign class",
      Pickle.global("evil", "Class") + Pickle.emptyTuple + [0x81]
        + Pickle.dictionary([("w", tensor)]) + Pickle.op("b")),
    value(43, "pickle.persistent_id", "an integer", Pickle.int(1) + Pickle.op("Q")),
    value(43, "pickle.persistent_id", "an empty tuple", Pickle.emptyTuple + Pickle.op("Q")),
    value(
      43, "pickle.persistent_id", "another tag",
      Pickle.tuple(Pickle.text("file"), Pickle.text("x")) + Pickle.op("Q")),
    value(
      43, "pickle.persistent_id", "a short tuple",
      Pickle.dictionary([
        ("w", Pickle.tensor(Pickle.tuple(Pickle.text("storage")) + Pickle.op("Q")))
      ])),
    value(
      43, "pickle.persistent_id", "in a value that no tensor needs",
      Pickle.dictionary([("x", Pickle.int(1) + Pickle.op("Q")), ("w", tensor)])),
    value(
      44, "pt.storage_key", "a key that leaves the folder",
      Pickle.dictionary([("w", Pickle.tensor(Pickle.storage(key: Pickle.text("../data.pkl"))))])),
    value(
      44, "pt.storage_missing", "the key 99",
      Pickle.dictionary([("w", Pickle.tensor(Pickle.storage(key: Pickle.text("99"))))])),
    value(
      44, "pt.storage_key", "an integer key",
      Pickle.dictionary([("w", Pickle.tensor(Pickle.storage(key: Pickle.int(0))))])),
  ]

  static let containers: [Refused] = [
    value(
      38, "pickle.cycle", "a dictionary that holds itself",
      Pickle.op("}") + Pickle.put(0) + Pickle.text("self") + Pickle.get(0) + Pickle.op("s")),
    value(
      38, "pickle.cycle", "two lists that hold each other",
      Pickle.emptyList + Pickle.put(0) + Pickle.emptyList + Pickle.put(1) + Pickle.get(0)
        + Pickle.op("a") + Pickle.op("a")),
    value(39, "pickle.too_deep", "a memo bomb", bomb(levels: 200)),
    value(39, "pickle.too_many_values", "a memo bomb of allowed depth", bomb(levels: 60)),
    value(39, "pickle.too_many_values", "a list that is copied too often", copies),
    value(
      40, "pickle.too_deep", "100,000 nested tuples",
      Pickle.none + [UInt8](repeating: 0x85, count: 100_000)),
    value(40, "pickle.too_deep", "100,000 nested lists", nestedLists(100_000)),
    value(
      0, "pickle.too_many_values", "a million empty lists",
      Pickle.op("(") + [UInt8](repeating: 0x5D, count: 1 << 20) + Pickle.op("t")),
    value(
      0, "pt.duplicate_name", "a key twice", Pickle.dictionary([("w", tensor), ("w", tensor)])),
    value(0, "pt.no_tensors", "an empty dictionary", Pickle.op("}")),
    value(
      45, "pt.no_tensors", "a top-level list without tensors",
      Pickle.list(Pickle.int(1), Pickle.none)),
  ]

  /// `levels` lists, each holding the one before twice.
  private static func bomb(levels: Int) -> [UInt8] {
    var bytes = Pickle.list(Pickle.none, Pickle.none)
    for _ in 0..<levels {
      bytes += Pickle.put(0) + Pickle.op("0") + Pickle.emptyList + Pickle.op("(") + Pickle.get(0)
      bytes += Pickle.get(0) + Pickle.op("e")
    }
    return bytes
  }

  private static func nestedLists(_ count: Int) -> [UInt8] {
    [UInt8](repeating: 0x5D, count: count) + [UInt8](repeating: 0x61, count: count - 1)
  }

  /// A dictionary of 1,000 pairs, made 10,000 times from one list.
  private static let copies: [UInt8] = {
    let pair = Pickle.text("k") + Pickle.none + [0x86]
    var bytes = Pickle.emptyList + Pickle.op("(") + (0..<1000).flatMap { _ in pair }
    bytes += Pickle.op("e") + [0x85] + Pickle.put(0) + Pickle.op("0")
    bytes += Pickle.global("collections", "OrderedDict") + Pickle.put(1) + Pickle.op("0")
    bytes +=
      Pickle.op("(")
      + (0..<10_000).flatMap { _ in
        Pickle.get(1) + Pickle.get(0) + Pickle.op("R")
      }
    return bytes + Pickle.op("t")
  }()

  static let accepted: [Accepted] = [
    .init(
      0, "an ordered dictionary",
      TorchBytes.pickle(
        Pickle.document(Pickle.orderedDictionary + Pickle.text("w") + tensor + Pickle.op("s")))),
    .init(
      0, "an ordered dictionary made of pairs",
      TorchBytes.pickle(
        Pickle.document(
          Pickle.call(
            Pickle.global("collections", "OrderedDict"),
            Pickle.list(Pickle.tuple(Pickle.text("w"), tensor)))))),
    .init(
      0, "a state dict with attributes",
      TorchBytes.pickle(
        Pickle.document(
          Pickle.dictionary([("w", tensor)]) + Pickle.dictionary([("_metadata", Pickle.none)])
            + Pickle.op("b")))),
    .init(
      33, "a memo index of 2^32 - 1 that was set",
      TorchBytes.pickle(
        Pickle.document(
          Pickle.dictionary([("w", tensor)]) + Pickle.op("r") + little(UInt32.max) + Pickle.op("0")
            + Pickle.op("j") + little(UInt32.max)))),
    .init(
      36, "protocol 3",
      TorchBytes.pickle(Pickle.document(Pickle.dictionary([("w", tensor)]), version: 3))),
    .init(
      36, "protocol 5 with a frame, a short string and a memo",
      TorchBytes.pickle(
        [0x80, 5, 0x95] + little(UInt64(2)) + Pickle.op("}") + [0x94, 0x8C, 1] + Array("w".utf8) + [
          0x94
        ] + tensor + Pickle.op("s") + Pickle.op("."))),
    .init(
      36, "STACK_GLOBAL, POP, POP_MARK, DUP",
      TorchBytes.pickle(
        Pickle.document(
          Pickle.op("}") + Pickle.op("2") + Pickle.op("0") + Pickle.op("(") + Pickle.none
            + Pickle.op("1") + Pickle.text("w") + tensorByStackGlobal + Pickle.op("s"), version: 4))
    ),
    .init(
      42, "a call to os.system beside the weights, which is not made",
      warnings: ["pt.dangerous_name", "pt.ignored"],
      TorchBytes.pickle(
        Pickle.state(
          ("evil", Pickle.call(Pickle.global("os", "system"), Pickle.text("id"))), ("w", tensor)))),
    .init(
      42, "a foreign object with state beside the weights", warnings: ["pt.ignored"],
      TorchBytes.pickle(
        Pickle.state(
          (
            "args",
            Pickle.global("argparse", "Namespace") + Pickle.emptyTuple + [0x81]
              + Pickle.dictionary([("lr", Pickle.int(1))]) + Pickle.op("b")
          ), ("w", tensor)))),
    .init(
      35, "LONG1 of 255 bytes where nobody needs it", warnings: ["pt.ignored"],
      TorchBytes.pickle(
        Pickle.state(("x", [0x8A, 255] + [UInt8](repeating: 1, count: 255)), ("w", tensor)))),
    .init(
      58, "a storage of cuda:7",
      TorchBytes.tensor(Pickle.tensor(Pickle.storage(location: "cuda:7")))),
    .init(
      0, "a storage class of torch.cuda",
      TorchBytes.tensor(
        Pickle.tensor(Pickle.storage(type: Pickle.global("torch.cuda", "FloatStorage"))))),
    .init(
      0, "a parameter",
      TorchBytes.tensor(
        Pickle.call(
          Pickle.global("torch._utils", "_rebuild_parameter"), tensor, Pickle.yes,
          Pickle.orderedDictionary))),
    .init(
      0, "a parameter with state",
      TorchBytes.tensor(
        Pickle.call(
          Pickle.global("torch._utils", "_rebuild_parameter_with_state"), tensor, Pickle.yes,
          Pickle.orderedDictionary, Pickle.none))),
    .init(
      0, "a parameter as before 0.4",
      TorchBytes.tensor(
        Pickle.call(Pickle.global("torch.nn.parameter", "Parameter"), tensor, Pickle.yes))),
    .init(
      0, "the first rebuild function",
      TorchBytes.tensor(
        Pickle.call(
          Pickle.global("torch._utils", "_rebuild_tensor"), Pickle.storage(), Pickle.int(0),
          Pickle.ints([2, 3]), Pickle.ints([3, 1])))),
    .init(
      0, "sizes as torch.Size",
      TorchBytes.tensor(
        Pickle.call(
          Pickle.global("torch._utils", "_rebuild_tensor"), Pickle.storage(), Pickle.int(0),
          Pickle.call(Pickle.global("torch", "Size"), Pickle.ints([2, 3])), Pickle.ints([3, 1])))),
    .init(
      0, "a typed tensor over an untyped storage",
      TorchBytes.tensor(
        Pickle.typedTensor("float32", byteCount: 24, sizes: [2, 3], strides: [3, 1]))),
    .init(
      0, "a tensor with a Python type and state",
      TorchBytes.tensor(
        Pickle.call(
          Pickle.global("torch._tensor", "_rebuild_from_type_v2"),
          Pickle.global("torch._utils", "_rebuild_tensor_v2"), Pickle.global("torch", "Tensor"),
          Pickle.tuple(
            Pickle.storage(), Pickle.int(0), Pickle.ints([2, 3]), Pickle.ints([3, 1]), Pickle.no,
            Pickle.orderedDictionary), Pickle.none))),
    .init(
      45, "keys and values of other types", warnings: ["pt.ignored"],
      TorchBytes.pickle(
        Pickle.document(
          Pickle.dictionary([("w", tensor), ("n", Pickle.none)]) + Pickle.tuple(Pickle.int(1))
            + tensor + Pickle.op("s")))),
  ]

  /// The tensor's call with its function named by STACK_GLOBAL.
  private static let tensorByStackGlobal: [UInt8] =
    Pickle.text("torch._utils") + Pickle.text("_rebuild_tensor") + [0x93] + Pickle.op("(")
    + Pickle.storage() + Pickle.int(0) + Pickle.ints([2, 3]) + Pickle.ints([3, 1]) + Pickle.op("t")
    + Pickle.op("R")

  @Test(
    "PT-20, PT-21, PT-22, PT-23, PT-24, PT-25, PT-26, PT-27, PT-28, PT-30: refuses",
    arguments: refused)
  func refuses(_ sample: Refused) { #expect(sample.verdict() == sample.code) }

  @Test("PT-29, PT-33: reads", arguments: accepted)
  func reads(_ sample: Accepted) throws {
    let file = try TorchFile(ByteRegion(sample.bytes))
    #expect(file.tensors.map(\.name.string) == ["w"])
    #expect(file.tensors[0].shape == [2, 3])
    #expect(try file.data(0) == TorchBytes.floats(6))
    #expect(file.warnings.map(\.code) == sample.warnings)
  }

  @Test("45: a top-level list names its tensors by their places, a lone tensor is called tensor")
  func unnamed() throws {
    let list = try TorchFile(
      ByteRegion(TorchBytes.pickle(Pickle.document(Pickle.list(Self.tensor, Self.tensor)))))
    #expect(list.tensors.map(\.name.string) == ["0", "1"])
    let lone = try TorchFile(ByteRegion(TorchBytes.pickle(Pickle.document(Self.tensor))))
    #expect(lone.tensors.map(\.name.string) == ["tensor"])
    #expect(lone.warnings.map(\.code) == ["pt.unnamed"])
  }

  @Test("an error says at which byte of the file the opcode is")
  func positions() throws {
    let bytes = TorchBytes.pickle(Pickle.document(Pickle.none + Pickle.get(7)))
    let error = #expect(throws: TorchError.self) { try TorchFile(ByteRegion(bytes)) }
    #expect(error == TorchError(.pickle(.memo(7)), path: "memory", at: 30 + 16 + 3))
    #expect(bytes[30 + 16 + 3] == UInt8(ascii: "h"))
  }
}
