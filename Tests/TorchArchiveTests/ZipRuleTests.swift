import ByteIO
import Compression
import Tensors
import Testing

@testable import TorchArchive

@Suite("zip frame of a PyTorch file")
struct ZipRuleTests {
  static let plain = TorchBytes()

  static let refused: [Refused] =
    frame + flags + names + [
      .init(
        9, "zip.name_mismatch", "local header names another entry",
        plain.entry { $0.localName = "archive/data/1" }),
      .init(
        9, "zip.name_mismatch", "local name of another length", plain.entry { $0.localName = "x" }),
      .init(
        10, "zip.header_mismatch", "local size differs", plain.entry { $0.localSizes = (24, 23) }),
      .init(
        10, "zip.header_mismatch", "local compressed size differs",
        plain.entry { $0.localSizes = (23, 24) }),
      .init(
        10, "zip.header_mismatch", "local sizes are zero without bit 3",
        plain.entry { $0.localSizes = (0, 0) }),
      .init(
        10, "zip.header_mismatch", "bit 3 in one header only", plain.entry { $0.localFlags = 8 }),
      .init(10, "zip.header_mismatch", "local CRC differs", plain.entry { $0.localChecksum = 1 }),
      .init(10, "zip.header_mismatch", "local method differs", plain.entry { $0.localMethod = 8 }),
      .init(13, "zip.method", "bzip2", plain.entry { $0.method = 12 }),
      .init(13, "zip.method", "LZMA", plain.entry { $0.method = 14 }),
      .init(13, "zip.method", "Zstandard", plain.entry { $0.method = 93 }),
      .init(
        14, "zip.ratio", "24 bytes said to inflate to 10 GB",
        plain.entry {
          $0.method = 8
          $0.size = 10 << 30
        }),
      .init(14, "zip.inflated_size", "inflates to more than declared", bomb(50_000)),
      .init(14, "zip.inflated_size", "inflates to less than declared", bomb(10)),
      .init(14, "pickle.too_large", "a pickle of more than 64 MiB", hugePickle()),
      .init(
        12, "zip.deflate", "damaged deflate stream",
        plain.entry {
          $0.method = 8
          $0.compressed = [0xFF, 0xFF, 0xFF]
        }),
      .init(
        12, "zip.inflated_size", "deflate stream cut off",
        plain.entry {
          $0.method = 8
          $0.compressed = Array(deflated($0.data).dropLast(3))
        }),
      .init(
        12, "zip.inflated_size", "bytes after the deflate stream",
        plain.entry {
          $0.method = 8
          $0.compressed = deflated($0.data) + [0]
        }),
      .init(
        15, "zip.overlap", "two records, one span",
        plain.bytes { zip in
          zip.entries.append(zip.entries[2])
          zip.entries[4].position = zip.position(of: 2)
        }),
      .init(16, "zip.crc", "storage with a wrong CRC-32", plain.entry { $0.checksum = 1 }),
      .init(
        16, "zip.crc", "pickle with a wrong CRC-32", plain.bytes { $0.entries[0].checksum = 1 }),
      .init(
        16, "zip.crc", "deflated storage with a wrong CRC-32",
        plain.entry {
          $0.method = 8
          $0.compressed = deflated($0.data)
          $0.checksum = 1
        }),
      .init(0, "zip.stored_size", "stored entry with two sizes", plain.entry { $0.size = 23 }),
    ]

  static let frame: [Refused] = [
    .init(1, "zip.no_eocd", "no end record", Array(plain.bytes().dropLast(22))),
    .init(1, "zip.no_eocd", "nothing but a signature", Array("PK\u{3}\u{4}".utf8)),
    .init(2, "zip.no_eocd", "cut off half way", Array(plain.bytes().prefix(200))),
    .init(
      3, "zip.prefix", "junk before the first header",
      plain.bytes { $0.prefix = Array("#!/bin/sh\n".utf8) }),
    .init(
      3, "zip.directory", "junk that the positions do not count",
      Array("#!/bin/sh\n".utf8) + plain.bytes()),
    .init(4, "zip.trailing", "junk after the end record", plain.bytes { $0.trailing = [1, 2, 3] }),
    .init(5, "zip.comment", "a comment", plain.bytes { $0.comment = Array("hello".utf8) }),
    .init(
      5, "zip.directory", "a comment that is an empty end record",
      plain.bytes { $0.comment = ZipBytes([]).bytes() }),
    .init(
      7, "zip.directory", "zip64 size of 2^63",
      plain.bytes {
        $0.zip64 = (nil, 1 << 63, nil)
        $0.hidesSizes = true
      }),
    .init(
      7, "zip.directory", "zip64 position of 2^64 - 1",
      plain.bytes {
        $0.zip64 = (nil, nil, .max)
        $0.hidesSizes = true
      }),
    .init(
      7, "zip.zip64", "zip64 and end record disagree", plain.bytes { $0.zip64 = (nil, nil, 17) }),
    .init(
      7, "zip.data_past_end", "zip64 entry size of 2^63",
      plain.entry {
        $0.usesZip64 = true
        $0.position = 1 << 63
      }),
    .init(8, "zip.entry_count", "one entry fewer than present", plain.bytes { $0.count = 3 }),
    .init(8, "zip.entry_count", "one entry more than present", plain.bytes { $0.count = 5 }),
    .init(
      8, "zip.entry_count", "zip64 count differs",
      plain.bytes {
        $0.zip64 = (9, nil, nil)
        $0.hidesSizes = true
      }),
    .init(
      0, "zip.directory", "directory position past the end",
      plain.bytes { $0.directoryOffset = 1 << 30 }),
  ]

  static let flags: [Refused] = [
    (0x1, "encrypted"), (0x20, "patched"), (0x40, "strongly encrypted"), (0x2000, "masked headers"),
  ].map { flag, what in
    .init(11, "zip.flags", what, plain.entry { $0.flags = UInt16(flag) })
  }

  static let names: [Refused] =
    [
      "../evil", "archive/../../evil", "/etc/passwd", "C:/evil", "archive\\evil", "archive/a\0b",
      "",
    ]
    .map { name in
      .init(
        19, "zip.name", name.debugDescription, plain.bytes { $0.entries.append(.init(name, [1])) })
    } + [
      .init(
        17, "zip.duplicate_name", "two entries of one name",
        plain.bytes { $0.entries.append($0.entries[2]) }),
      .init(
        18, "pt.roots", "entries under two folders",
        plain.bytes { $0.entries.append(.init("other/x", [1])) }),
      .init(
        18, "pt.roots", "an entry under none",
        plain.bytes { $0.entries.append(.init("archive", [1])) }),
      .init(20, "zip.symlink", "a symbolic link", plain.entry { $0.attributes = 0o120777 << 16 }),
    ]

  static let archive: [Refused] = {
    func torch(_ change: (inout TorchBytes) -> Void) -> [UInt8] {
      var torch = TorchBytes()
      change(&torch)
      return torch.bytes()
    }
    return [
      .init(21, "pt.no_pickle", "no data.pkl", plain.bytes { $0.entries.removeFirst() }),
      .init(21, "pt.no_pickle", "no entry at all", ZipBytes([]).bytes()),
      .init(22, "pt.version", "version 99", torch { $0.version = "99" }),
      .init(22, "pt.version", "version 0", torch { $0.version = "0\n" }),
      .init(22, "pt.version", "version that is no number", torch { $0.version = "three" }),
      .init(25, "pt.byteorder", "byte order middle", torch { $0.byteOrder = "middle" }),
      .init(
        0, "pt.record_too_large", "byte order of 5 KB",
        torch { $0.byteOrder = String(repeating: "x", count: 5000) }),
      .init(
        26, "pt.torchscript", "constants.pkl",
        torch { $0.more = [.init("archive/constants.pkl", [1])] }),
      .init(
        26, "pt.torchscript", "code",
        torch { $0.more = [.init("archive/code/__torch__.py", "pass")] }),
      .init(
        64, "pt.numpy", "a NumPy archive",
        ZipBytes([.init("a.npy", [1]), .init("b.npy", [2])]).bytes()),
    ]
  }()

  static let accepted: [Accepted] = {
    func torch(_ change: (inout TorchBytes) -> Void) -> [UInt8] {
      var torch = TorchBytes()
      change(&torch)
      return torch.bytes()
    }
    return [
      .init(6, "zip64 record and locator", plain.bytes { $0.zip64 = (nil, nil, nil) }),
      .init(
        6, "zip64 with all ones in the end record",
        plain.bytes {
          $0.zip64 = (nil, nil, nil)
          $0.hidesSizes = true
        }),
      .init(6, "zip64 fields of an entry", plain.entry { $0.usesZip64 = true }),
      .init(10, "bit 3 with zeros in the local header", plain.entry { $0.flags = 8 }),
      .init(
        10, "bit 3 with the true values in the local header",
        plain.entry {
          $0.flags = 8
          $0.localSizes = (24, 24)
          $0.localChecksum = Compression.crc32($0.data.rawSpan)
        }),
      .init(
        12, "a deflated storage",
        plain.entry {
          $0.method = 8
          $0.compressed = deflated($0.data)
        }),
      .init(
        12, "a deflated pickle",
        plain.bytes {
          $0.entries[0].method = 8
          $0.entries[0].compressed = deflated($0.entries[0].data)
        }),
      .init(16, "a CRC-32 of zero", warnings: ["zip.no_crc"], plain.entry { $0.checksum = 0 }),
      .init(22, "no version", warnings: ["pt.no_version"], torch { $0.version = nil }),
      .init(22, "version 10 without a newline", torch { $0.version = "10" }),
      .init(23, "no byte order", torch { $0.byteOrder = nil }),
      .init(
        27, "another alignment than stated",
        torch { $0.more = [.init("archive/.storage_alignment", "64")] }),
      .init(
        27, "padding in the local extra field alone",
        plain.entry {
          $0.extra = Array("FB".utf8) + little(UInt16(37)) + [UInt8](repeating: 0x5A, count: 37)
        }),
      .init(
        28, "data at an odd position",
        plain.bytes { $0.entries.insert(.init("archive/x", [1]), at: 2) }),
      .init(
        0, "a hole between entries", warnings: ["zip.hole"], plain.entry { $0.gap = [1, 2, 3] }),
    ]
  }()

  @Test(
    "PT-1, PT-2, PT-3, PT-4, PT-5, PT-6, PT-7, PT-8, PT-9, PT-10, PT-11, PT-12, PT-13, PT-14: refuses",
    arguments: refused + archive)
  func refuses(_ sample: Refused) { #expect(sample.verdict() == sample.code) }

  @Test("reads", arguments: accepted)
  func reads(_ sample: Accepted) throws {
    let file = try TorchFile(ByteRegion(sample.bytes))
    try file.check()
    #expect(file.tensors.map(\.name.string) == ["w"])
    #expect(file.tensors[0].shape == [2, 3])
    #expect(try file.data(0) == TorchBytes.floats(6))
    #expect(file.warnings.map(\.code) == sample.warnings)
  }

  @Test(
    "PT-11: opening verifies the pickle; damage to a tensor is found by the check, and only there")
  func laziness() throws {
    let file = try TorchFile(ByteRegion(Self.plain.entry { $0.checksum = 1 }))
    #expect(try file.data(0) == TorchBytes.floats(6))
    #expect(throws: TorchError.self) { try file.check() }
  }

  @Test("PT-48: a large deflated storage is read in order, backwards and by views that fit")
  func largeDeflated() throws {
    // A prime length, so that no two megabytes are alike.
    let pattern = (0..<104_729).map { UInt8(truncatingIfNeeded: $0 * $0 >> 3) }
    let count = 5 << 20
    var words: [UInt8] = []
    while words.count < 4 * count { words += pattern }
    words.removeLast(words.count - 4 * count)
    var torch = TorchBytes()
    torch.pickle = Pickle.state(
      ("w", Pickle.tensor(Pickle.storage(count: count), sizes: [count], strides: [1])))
    torch.storages = [("0", words)]
    let file = try TorchFile(
      ByteRegion(
        torch.entry {
          $0.method = 8
          $0.compressed = deflated($0.data)
        }))
    #expect(file.tensors[0].offset == nil)
    for start in [0, 1 << 20, 19 << 20, 4097, (20 << 20) - 100] {
      var part = [UInt8](repeating: 0, count: 100)
      var raw = part.mutableRawSpan
      try file.read(0, at: start, into: &raw)
      #expect(part == Array(words[start..<(start + 100)]))
    }
    try file.check()
    torch.pickle = Pickle.state(
      ("w", Pickle.tensor(Pickle.storage(count: count), sizes: [count / 2], strides: [2])))
    let strided = Refused(
      0, "pt.compressed_view", "",
      torch.entry {
        $0.method = 8
        $0.compressed = deflated($0.data)
      })
    #expect(strided.verdict() == strided.code)
  }

  /// Zero bytes, deflated, where 24 are declared.
  private static func bomb(_ count: Int) -> [UInt8] {
    plain.entry {
      $0.method = 8
      $0.compressed = deflated([UInt8](repeating: 0, count: count))
      $0.size = 24
    }
  }

  private static func hugePickle() -> [UInt8] {
    plain.bytes {
      $0.entries[0].method = 8
      $0.entries[0].compressed = [UInt8](repeating: 0, count: 80_000)
      $0.entries[0].size = 65 << 20
    }
  }
}
