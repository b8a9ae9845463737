/// The printable stand-ins that byte-level vocabularies use for the 256 bytes (GPT-2).
///
/// Bytes that print keep their Latin-1 character; the others take U+0100, U+0101, … in order.
enum ByteAlphabet {
  /// Code point that stands for each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt16 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        defer { next += 1 }
        return Unicode.Scalar(next) ?? Unicode.Scalar(byte)
      }
    }
  }()

  /// Byte that each code point below U+0144 stands for, or -1.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
    return bytes
  }()

  /// UTF-8 text of the stand-ins for `bytes`.
  static func spelling(of bytes: Span<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    for i in bytes.indices { text += spelling(of: bytes[i]) }
    return text
  }

  static func spelling(of byte: UInt8) -> [UInt8] { Array(String(scalars[Int(byte)]).utf8) }

  /// The bytes a token stands for; nil when it holds a character outside the alphabet.
  static func bytes(of token: Span<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    var i = 0
    while i < token.count {
      let scalar = DecodedScalar(in: token, at: i)
      guard scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 else { return nil }
      result.append(UInt8(bytes[Int(scalar.value)]))
      i += scalar.width
    }
    return result
  }
}
