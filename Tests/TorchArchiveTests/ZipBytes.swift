import ByteIO
import CZlib
import Compression

@testable import TorchArchive

/// A zip archive in the making; every field can be made to lie.
struct ZipBytes {
  struct Entry {
    var name: String
    var data: [UInt8]
    var method: UInt16 = 0
    var flags: UInt16 = 0
    /// Bytes in the archive when they are not `data`.
    var compressed: [UInt8]?
    var checksum: UInt32?
    var size: UInt64?
    var extra: [UInt8] = []
    var attributes: UInt32 = 0
    /// Position that the directory gives, when it is not the true one.
    var position: UInt64?
    // The local header, where it differs.
    var localName: String?
    var localMethod: UInt16?
    var localFlags: UInt16?
    var localChecksum: UInt32?
    var localSizes: (compressed: UInt32, size: UInt32)?
    /// Sizes and position in zip64 fields of the directory.
    var usesZip64 = false
    /// Bytes after the entry that belong to none.
    var gap: [UInt8] = []

    init(_ name: String, _ data: [UInt8]) {
      self.name = name
      self.data = data
    }

    init(_ name: String, _ text: String) { self.init(name, Array(text.utf8)) }

    var stored: [UInt8] { compressed ?? data }
    var crc: UInt32 { checksum ?? Compression.crc32(data.rawSpan) }
    var count: UInt64 { size ?? UInt64(data.count) }
  }

  var entries: [Entry]
  var prefix: [UInt8] = []
  var trailing: [UInt8] = []
  var comment: [UInt8] = []
  var count: UInt16?
  var directoryOffset: UInt32?
  /// Writes the zip64 records as torch does; the tuple overrides what they say.
  var zip64: (count: UInt64?, byteCount: UInt64?, offset: UInt64?)?
  /// All ones in the fields of the end record that zip64 has.
  var hidesSizes = false

  init(_ entries: [Entry]) { self.entries = entries }

  func bytes() -> [UInt8] {
    var file = prefix
    var directory: [UInt8] = []
    for entry in entries {
      let position = UInt64(file.count)
      file += Self.local(entry) + entry.stored
      if (entry.localFlags ?? entry.flags) & 8 != 0 {
        file += little(UInt32(0x0807_4B50)) + little(entry.crc)
        file += little(UInt32(entry.stored.count)) + little(UInt32(truncatingIfNeeded: entry.count))
      }
      file += entry.gap
      directory += Self.central(entry, at: entry.position ?? position)
    }
    let offset = file.count
    file += directory
    if let zip64 { file += Self.zip64(zip64, entries.count, offset, directory.count, file.count) }
    let total = hidesSizes ? .max : count ?? UInt16(entries.count)
    file += little(UInt32(0x0605_4B50)) + [0, 0, 0, 0] + little(total) + little(total)
    file += little(hidesSizes ? .max : UInt32(directory.count))
    file += little(hidesSizes ? .max : directoryOffset ?? UInt32(offset))
    return file + little(UInt16(comment.count)) + comment + trailing
  }

  /// Where the local header of entry `index` will be.
  func position(of index: Int) -> UInt64 {
    UInt64(entries[..<index].reduce(prefix.count) { $0 + Self.local($1).count + $1.stored.count })
  }

  private static func local(_ entry: Entry) -> [UInt8] {
    let flags = entry.localFlags ?? entry.flags
    let isStreamed = flags & 8 != 0
    let name = Array((entry.localName ?? entry.name).utf8)
    let sizes =
      entry.localSizes
      ?? (isStreamed
        ? (0, 0) : (UInt32(entry.stored.count), UInt32(truncatingIfNeeded: entry.count)))
    let crc = entry.localChecksum ?? (isStreamed ? 0 : entry.crc)
    var bytes = little(UInt32(0x0403_4B50)) + little(UInt16(0)) + little(flags)
    bytes += little(entry.localMethod ?? entry.method) + little(UInt32(0)) + little(crc)
    bytes += little(sizes.compressed) + little(sizes.size)
    return bytes + little(UInt16(name.count)) + little(UInt16(entry.extra.count)) + name
      + entry.extra
  }

  private static func central(_ entry: Entry, at position: UInt64) -> [UInt8] {
    let name = Array(entry.name.utf8)
    var sizes = [UInt64(entry.stored.count), entry.count, position]
    var extra: [UInt8] = []
    if entry.usesZip64 {
      extra = little(UInt16(1)) + little(UInt16(24))
      extra += little(sizes[1]) + little(sizes[0]) + little(sizes[2])
      sizes = [0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF]
    }
    var bytes = little(UInt32(0x0201_4B50)) + little(UInt32(0)) + little(entry.flags)
    bytes += little(entry.method) + little(UInt32(0)) + little(entry.crc)
    bytes += little(UInt32(truncatingIfNeeded: sizes[0]))
    bytes += little(UInt32(truncatingIfNeeded: sizes[1]))
    bytes += little(UInt16(name.count)) + little(UInt16(extra.count)) + little(UInt16(0))
    bytes += little(UInt32(0)) + little(entry.attributes)
    return bytes + little(UInt32(truncatingIfNeeded: sizes[2])) + name + extra
  }

  private static func zip64(
    _ said: (count: UInt64?, byteCount: UInt64?, offset: UInt64?), _ count: Int, _ offset: Int,
    _ byteCount: Int, _ position: Int
  ) -> [UInt8] {
    let entries = said.count ?? UInt64(count)
    var bytes = little(UInt32(0x0606_4B50)) + little(UInt64(44)) + little(UInt32(0))
    bytes += little(UInt64(0)) + little(entries) + little(entries)
    bytes += little(said.byteCount ?? UInt64(byteCount)) + little(said.offset ?? UInt64(offset))
    bytes += little(UInt32(0x0706_4B50)) + little(UInt32(0)) + little(UInt64(position))
    return bytes + little(UInt32(1))
  }
}

/// Raw deflate of `bytes`, by zlib.
func deflated(_ bytes: [UInt8]) -> [UInt8] {
  var count = compressBound(UInt(bytes.count))
  var output = [UInt8](repeating: 0, count: Int(count))
  _ = compress2(&output, &count, bytes, UInt(bytes.count), 9)
  return Array(output[2..<(Int(count) - 4)])
}

/// An archive as torch.save writes it, to be spoiled.
struct TorchBytes {
  var pickle = Pickle.state(("w", Pickle.tensor()))
  var storages: [(key: String, bytes: [UInt8])] = [("0", TorchBytes.floats(6))]
  var version: String? = "3\n"
  var byteOrder: String? = "little"
  var more: [ZipBytes.Entry] = []

  static func floats(_ count: Int) -> [UInt8] {
    (0..<count).flatMap { little(Float($0).bitPattern) }
  }

  var zip: ZipBytes {
    var entries = [ZipBytes.Entry("archive/data.pkl", pickle)]
    if let byteOrder { entries.append(.init("archive/byteorder", byteOrder)) }
    entries += storages.map { .init("archive/data/" + $0.key, $0.bytes) }
    if let version { entries.append(.init("archive/version", version)) }
    return ZipBytes(entries + more)
  }

  func bytes() -> [UInt8] { zip.bytes() }

  /// The bytes after `change` was made to the archive.
  func bytes(_ change: (inout ZipBytes) -> Void) -> [UInt8] {
    var zip = zip
    change(&zip)
    return zip.bytes()
  }

  /// The bytes after `change` was made to the storage's entry.
  func entry(_ change: (inout ZipBytes.Entry) -> Void) -> [UInt8] {
    bytes { change(&$0.entries[2]) }
  }
}

extension TorchBytes {
  /// The default archive with another pickle.
  static func pickle(_ pickle: [UInt8]) -> [UInt8] {
    var torch = TorchBytes()
    torch.pickle = pickle
    return torch.bytes()
  }

  /// The default archive with another tensor.
  static func tensor(_ tensor: [UInt8]) -> [UInt8] { pickle(Pickle.state(("w", tensor))) }
}
