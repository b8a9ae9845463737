import ByteIO

/// A broken rule of the zip container.
package enum ZipProblem: Equatable, Sendable {
  /// PT-1: no end-of-central-directory record.
  case noEndRecord
  /// PT-1: bytes follow the end record.
  case trailingBytes(Int)
  /// PT-1: the archive has a comment, which could hide a second end record.
  case comment(byteCount: Int)
  /// PT-2: the archive is said to span disks.
  case multiDisk
  /// PT-2: the zip64 records are inconsistent; what is.
  case zip64(String)
  /// PT-3: the central directory does not end where its end record begins.
  case directorySpan(offset: UInt64, byteCount: UInt64, end: Int)
  case directoryTooLarge(byteCount: Int, limit: Int)
  /// PT-3: not as many entries as the end record says.
  case entryCount(declared: UInt64, found: Int)
  /// A record ends inside a field.
  case truncated(needed: Int, left: Int)
  /// A record does not begin with its signature.
  case signature(found: UInt32, expected: UInt32)
  /// PT-4: flags that change what the bytes mean.
  case flags(entry: String, UInt16)
  /// PT-5: a compression method other than stored and deflated.
  case method(entry: String, UInt16)
  /// PT-6: a name that could leave the archive, or is no text.
  case name(String, reason: String)
  case nameTwice(String)
  case symbolicLink(String)
  /// PT-7: the local header says something else than the central directory.
  case nameMismatch(central: String, local: String)
  case headerMismatch(entry: String, field: String, central: UInt64, local: UInt64)
  /// PT-8: bytes before the first entry.
  case prefix(byteCount: Int)
  case overlap(entry: String, with: String)
  case dataPastEnd(entry: String, end: UInt64, limit: Int)
  /// PT-9: a stored entry whose two sizes differ.
  case storedSize(entry: String, compressed: Int, byteCount: Int)
  /// PT-10: more bytes than deflate can make of the compressed ones.
  case ratio(entry: String, compressed: Int, byteCount: Int)
  case deflate(entry: String)
  case inflatedSize(entry: String, expected: Int)
  /// PT-11: the bytes have another CRC-32 than the directory says.
  case checksum(entry: String, expected: UInt32, computed: UInt32)
}

extension ZipProblem: TorchRule {
  var code: String {
    switch self {
    case .noEndRecord: "zip.no_eocd"
    case .trailingBytes: "zip.trailing"
    case .comment: "zip.comment"
    case .multiDisk: "zip.multi_disk"
    case .zip64: "zip.zip64"
    case .directorySpan: "zip.directory"
    case .directoryTooLarge: "zip.too_large"
    case .entryCount: "zip.entry_count"
    case .truncated: "zip.truncated"
    case .signature: "zip.signature"
    case .flags: "zip.flags"
    case .method: "zip.method"
    case .name: "zip.name"
    case .nameTwice: "zip.duplicate_name"
    case .symbolicLink: "zip.symlink"
    case .nameMismatch: "zip.name_mismatch"
    case .headerMismatch: "zip.header_mismatch"
    case .prefix: "zip.prefix"
    case .overlap: "zip.overlap"
    case .dataPastEnd: "zip.data_past_end"
    case .storedSize: "zip.stored_size"
    case .ratio: "zip.ratio"
    case .deflate: "zip.deflate"
    case .inflatedSize: "zip.inflated_size"
    case .checksum: "zip.crc"
    }
  }

  var kind: FailureKind {
    switch self {
    case .flags, .method, .multiDisk: .unsupported
    case .directoryTooLarge, .ratio: .resourceLimit
    default: .malformed
    }
  }

  var message: String {
    switch self {
    case .noEndRecord: "the zip archive has no end-of-central-directory record"
    case .trailingBytes(let count): "\(count) bytes follow the end of the zip archive"
    case .comment(let count): "the zip archive has a comment of \(count) bytes; none is allowed"
    case .multiDisk: "the zip archive is one part of several"
    case .zip64(let what): "the zip64 records are inconsistent: \(what)"
    case .directorySpan(let offset, let count, let end):
      "the central directory is said to be \(count) bytes from byte \(offset) on, but must end at"
        + " byte \(end)"
    case .directoryTooLarge(let count, let limit):
      "the central directory has \(count) bytes; at most \(limit) are read"
    case .entryCount(let declared, let found):
      "the end record counts \(declared) entries, but the central directory holds \(found)"
    case .truncated(let needed, let left):
      "a zip record ends inside a field: \(needed) bytes needed, \(left) left"
    case .signature(let found, let expected):
      "a zip record begins with 0x\(String(found, radix: 16)) where 0x"
        + "\(String(expected, radix: 16)) is expected"
    case .flags(let entry, let flags):
      "the entry \(entry) has the flags 0x\(String(flags, radix: 16)): \(Self.meaning(of: flags))"
    case .method(let entry, let method):
      "the entry \(entry) is compressed by \(Self.name(ofMethod: method));"
        + " only stored (0) and deflated (8) are read"
    case .name(let name, let reason): "the entry name \"\(name)\" \(reason)"
    case .nameTwice(let name): "two entries are named \(name)"
    case .symbolicLink(let name): "the entry \(name) is a symbolic link"
    case .checksum(let entry, let expected, let computed):
      "the entry \(entry) has the CRC-32 0x\(String(computed, radix: 16)), "
        + "but the directory says 0x" + String(expected, radix: 16)
    default: layoutMessage
    }
  }

  private var layoutMessage: String {
    switch self {
    case .nameMismatch(let central, let local):
      "the central directory names the entry \(central), its local header \(local)"
    case .headerMismatch(let entry, let field, let central, let local):
      "the entry \(entry) has the \(field) \(central) in the central directory, \(local) in its"
        + " local header"
    case .prefix(let count): "\(count) bytes precede the first entry of the zip archive"
    case .overlap(let entry, let other): "the entries \(entry) and \(other) share bytes"
    case .dataPastEnd(let entry, let end, let limit):
      "the entry \(entry) would end at byte \(end), after the last possible \(limit)"
    case .storedSize(let entry, let compressed, let count):
      "the stored entry \(entry) has \(compressed) bytes in the archive, but \(count) when unpacked"
    case .ratio(let entry, let compressed, let count):
      "the entry \(entry) is said to inflate from \(compressed) to \(count) bytes, more than deflate"
        + " can"
    case .deflate(let entry): "the compressed bytes of the entry \(entry) are damaged"
    case .inflatedSize(let entry, let expected):
      "the entry \(entry) does not inflate to the \(expected) bytes that it is said to have"
    default: code
    }
  }

  var hint: String? {
    switch self {
    case .noEndRecord: "the file is cut off, or not a zip archive; fetch it again"
    case .checksum, .deflate: "the file is damaged; fetch it again"
    case .method: "save the file again with torch.save, which stores without compression"
    default: nil
    }
  }

  private static func meaning(of flags: UInt16) -> String {
    if flags & 0x41 != 0 { return "it is encrypted" }
    if flags & 0x20 != 0 { return "it is a patch" }
    if flags & 0x2000 != 0 { return "its headers are masked" }
    return "unknown ones"
  }

  private static func name(ofMethod method: UInt16) -> String {
    let known: [UInt16: String] = [
      9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd",
    ]
    return (known[method].map { "\($0), " } ?? "") + "method \(method)"
  }
}
