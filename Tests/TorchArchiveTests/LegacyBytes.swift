/// A file of PyTorch 0.1.10 to 1.5 in the making.
struct LegacyBytes {
  var magic: [UInt8] = [0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
  var version = Pickle.int(1001)
  var system = Pickle.dictionary([
    ("protocol_version", Pickle.int(1001)), ("little_endian", Pickle.yes),
  ])
  var object = Pickle.dictionary([("w", Pickle.tensor(Pickle.storage(more: Pickle.none)))])
  var keys = Pickle.list(Pickle.text("0"))
  var storages: [(count: Int64, bytes: [UInt8])] = [(6, TorchBytes.floats(6))]
  var trailing: [UInt8] = []

  func bytes(_ change: (inout LegacyBytes) -> Void = { _ in }) -> [UInt8] {
    var copy = self
    change(&copy)
    let pickles = [copy.magic, copy.version, copy.system, copy.object, copy.keys]
    return pickles.flatMap { Pickle.document($0) }
      + copy.storages.flatMap { little($0.count) + $0.bytes } + copy.trailing
  }
}

/// A tar archive as PyTorch before 0.1.10 wrote it, in the making.
struct TarBytes {
  static let float = Pickle.global("torch", "FloatStorage")

  var storages =
    Pickle.document(Pickle.int(1))
    + Pickle.document(Pickle.tuple(Pickle.int(77), Pickle.text("cpu"), TarBytes.float))
    + little(Int64(6)) + TorchBytes.floats(6) + Pickle.document(Pickle.emptyList)
  var tensors = TarBytes.tensorTable(sizes: [3, 2], strides: [1, 3])
  var pickle = Pickle.document(
    Pickle.dictionary([("w", Pickle.text("5") + Pickle.op("Q"))]))
  var kind = UInt8(ascii: "0")
  var pickleName = "pickle"
  var ending = [UInt8](repeating: 0, count: 1024)

  /// One tensor, `5`, of the storage 77.
  static func tensorTable(sizes: [Int64], strides: [Int64], storage: Int = 77) -> [UInt8] {
    Pickle.document(Pickle.int(1))
      + Pickle.document(
        Pickle.tuple(Pickle.int(5), Pickle.int(storage), Pickle.global("torch", "FloatTensor")))
      + little(Int32(sizes.count)) + little(Int32(0)) + (sizes + strides + [0]).flatMap(little)
  }

  func bytes(_ change: (inout TarBytes) -> Void = { _ in }) -> [UInt8] {
    var copy = self
    change(&copy)
    return member("sys_info", Pickle.document(Pickle.op("}")))
      + copy.member(copy.pickleName, copy.pickle) + member("tensors", copy.tensors)
      + member("storages", copy.storages) + copy.ending
  }

  /// A header (ustar), the bytes, and zeros up to a whole block.
  private func member(_ name: String, _ bytes: [UInt8]) -> [UInt8] {
    func field(_ text: String, _ width: Int) -> [UInt8] {
      Array(text.utf8) + [UInt8](repeating: 0, count: width - text.utf8.count)
    }
    func octal(_ number: Int, _ digits: Int) -> String {
      let text = String(number, radix: 8)
      return String(repeating: "0", count: digits - text.count) + text
    }
    var header = field(name, 100) + field("0000644", 8) + field("0000000", 8)
    header += field("0000000", 8) + field(octal(bytes.count, 11), 12) + field("00000000000", 12)
    header += [UInt8](repeating: 0x20, count: 8) + [kind] + field("", 100)
    header += field("ustar", 6) + field("00", 2)
    header += [UInt8](repeating: 0, count: 512 - header.count)
    let sum = octal(header.reduce(0) { $0 + Int($1) }, 6)
    header.replaceSubrange(148..<156, with: Array(sum.utf8) + [0, 0x20])
    return header + bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
  }
}
