import CCrypto

/// A SHA-256 digest, 32 bytes (FIPS 180-4).
package struct Digest: Hashable, Sendable, CustomStringConvertible {
  package let bytes: [UInt8]

  package init(bytes: [UInt8]) { self.bytes = bytes }

  /// Sixty-four lower-case hexadecimal digits.
  package var description: String { hexadecimal(bytes) }

  /// Reads what `description` writes; nil for anything else.
  package init?(hexadecimal text: String) {
    let digits = Array(text.utf8)
    guard digits.count == 64 else { return nil }
    var bytes: [UInt8] = []
    for i in stride(from: 0, to: 64, by: 2) {
      guard let high = Self.value(digits[i]), let low = Self.value(digits[i + 1]) else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    self.bytes = bytes
  }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x61...0x66: digit - 0x61 + 10
    default: nil
    }
  }
}

/// `bytes` as lower-case hexadecimal digits.
package func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
  return String(decoding: text, as: UTF8.self)
}

/// A running SHA-256 over bytes given in pieces, computed by libcrypto.
@safe
package struct SHA256: ~Copyable {
  private let context: OpaquePointer

  package init() {
    // SAFETY: libcrypto's own context; both calls fail only when memory is exhausted.
    guard let context = unsafe EVP_MD_CTX_new(),
      unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
    else { endProcess(for: NoDigests()) }
    unsafe self.context = context
  }

  private struct NoDigests: DiagnosedError {
    let code = "digest.unavailable"
    let kind = FailureKind.resourceLimit
    let message = "libcrypto cannot start SHA-256: it lacks memory or open files"
  }

  deinit { unsafe EVP_MD_CTX_free(context) }

  package mutating func update(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { buffer in
      _ = unsafe EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
    }
  }

  package mutating func update(_ bytes: [UInt8]) { update(bytes.rawSpan) }

  /// The digest of all bytes given so far; ends the computation, nothing may follow.
  package mutating func finish() -> Digest {
    var bytes = [UInt8](repeating: 0, count: 32)
    _ = unsafe bytes.withUnsafeMutableBufferPointer { buffer in
      unsafe EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
    }
    return Digest(bytes: bytes)
  }

  /// The digest of `bytes`.
  package static func digest(of bytes: [UInt8]) -> Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finish()
  }
}
