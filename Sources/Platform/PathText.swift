/// Paths are bytes, which need not be UTF-8; in this program they are strings. A byte that is no part of
/// UTF-8 stands in the string as a character of its own, U+10FF80 to U+10FFFF, and becomes that byte again
/// where the system is called. Whoever has such a character in a name gets its bytes likewise, so that no two
/// names become one.
enum PathText {
  /// Of byte 0; only bytes from 0x80 on are no UTF-8 by themselves.
  private static let base: UInt32 = 0x10FF00

  private static func isOurs(_ scalar: Unicode.Scalar) -> Bool { scalar.value >= base + 0x80 }

  static func string(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self),
      !text.unicodeScalars.contains(where: isOurs)
    {
      return text
    }
    var text = String.UnicodeScalarView()
    var decoder = UTF8()
    var position = 0
    while position < bytes.count {
      var rest = bytes[position...].prefix(4).makeIterator()
      if case .scalarValue(let scalar) = decoder.decode(&rest), !isOurs(scalar) {
        text.append(scalar)
        position += String(scalar).utf8.count
      } else if let scalar = Unicode.Scalar(base + UInt32(bytes[position])) {
        text.append(scalar)
        position += 1
      }
      decoder = UTF8()
    }
    return String(text)
  }

  /// The string behind a pointer of the system's, which ends with a zero byte.
  @unsafe
  static func string(at pointer: UnsafePointer<CChar>) -> String {
    var bytes: [UInt8] = []
    var next = unsafe pointer
    while unsafe next.pointee != 0 {
      bytes.append(unsafe UInt8(bitPattern: next.pointee))
      unsafe next += 1
    }
    return string(bytes)
  }

  static func bytes(_ text: String) -> [CChar] {
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
      if isOurs(scalar) {
        bytes.append(UInt8(scalar.value - base))
      } else {
        bytes += Array(String(scalar).utf8)
      }
    }
    return bytes.map { CChar(bitPattern: $0) } + [0]
  }
}

/// A path as the system takes it, with a zero byte at its end; for libraries that open files themselves.
package func systemPath(_ path: String) -> [CChar] {
  path.utf8.contains { $0 == 0xF4 }
    ? PathText.bytes(path) : path.utf8.map { CChar(bitPattern: $0) } + [0]
}

/// The words of this process's command line but the first, its own name.
package func processArguments() -> [String] {
  (1..<max(1, Int(CommandLine.argc))).compactMap { index in
    // SAFETY: the system gives as many strings as it says, which nobody changes.
    unsafe CommandLine.unsafeArgv[index].map { unsafe PathText.string(at: $0) }
  }
}
