package import ByteIO

/// Why a tar archive cannot be read in place. Rules: `formats/recurrent-package.md`, RP-20 on.
package enum TarProblem: Error, Equatable, Sendable {
  /// RP-20: the file ends inside a header or a member.
  case truncated(needed: Int, left: Int)
  /// RP-21: a header's magic is not that of ustar.
  case wrongMagic
  /// RP-21: a header's checksum is not the sum of its bytes.
  case wrongChecksum(found: Int, wanted: Int)
  /// RP-22: a field that holds a number is not octal digits.
  case malformedNumber(field: String)
  /// RP-23: a member is a link, a device, sparse, or of another kind than a file.
  case memberType(UInt8)
  /// RP-24: a name is not UTF-8, or has bytes after its end.
  case malformedName
  /// RP-25: an extended header is not a list of known records.
  case malformedExtension(String)
  /// RP-25: an extended header contradicts the member's own header.
  case extensionDisagrees(String)
  /// RP-27: bytes other than zeros follow the end mark, or there is no end mark.
  case malformedEnd
  /// RP-28: more members than are read.
  case tooManyMembers(limit: Int)

  package var code: String {
    switch self {
    case .truncated: "tar.truncated"
    case .wrongMagic: "tar.wrong_magic"
    case .wrongChecksum: "tar.wrong_checksum"
    case .malformedNumber: "tar.malformed_number"
    case .memberType: "tar.member_type"
    case .malformedName: "tar.malformed_name"
    case .malformedExtension: "tar.malformed_extension"
    case .extensionDisagrees: "tar.extension_disagrees"
    case .malformedEnd: "tar.malformed_end"
    case .tooManyMembers: "tar.too_many_members"
    }
  }

  package var message: String {
    switch self {
    case .truncated(let needed, let left): "\(needed) bytes are needed, \(left) are left"
    case .wrongMagic: "no ustar header here; `ckpt unpack` reads a compressed archive"
    case .wrongChecksum(let found, let wanted):
      "the header's checksum is \(found), but its bytes add up to \(wanted)"
    case .malformedNumber(let field): "the header's \(field) is not octal digits"
    case .memberType(let type): "member of type 0x\(String(type, radix: 16)); only files are read"
    case .malformedName: "the member's name is not plain UTF-8"
    case .malformedExtension(let reason): "extended header: \(reason)"
    case .extensionDisagrees(let key): "the extended header's \(key) contradicts the header's"
    case .malformedEnd: "the archive does not end with two blocks of zeros and nothing after"
    case .tooManyMembers(let limit): "more than \(limit) members"
    }
  }
}

/// A `TarProblem` and where it lies.
package struct TarError: Error {
  package enum Cause: Sendable {
    case format(TarProblem)
    /// The file could not be read.
    case file(FileError)
  }

  package var cause: Cause
  /// In the archive.
  package var position: Int
}
