import CDigest

/// Two running SHA-256 digests: of a whole, and of one part of it after another, computed in one
/// pass over the bytes.
///
/// Where the processor has instructions for SHA-256, both together take a third more time than one.
@safe
package struct SHA256Pair: ~Copyable {
  private let pair: OpaquePointer

  package init() {
    // SAFETY: memory of the pair's own; the call fails only when memory is exhausted.
    guard let pair = unsafe ck_sha256_pair_new() else {
      preconditionFailure("no memory for two digests")
    }
    unsafe self.pair = pair
  }

  deinit { unsafe ck_sha256_pair_free(pair) }

  /// Adds bytes to the whole and to the part.
  package mutating func update(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { buffer in
      unsafe ck_sha256_pair_update(pair, buffer.baseAddress, buffer.count)
    }
  }

  /// Adds bytes that are in no part.
  package mutating func updateWhole(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { buffer in
      unsafe ck_sha256_pair_update_first(pair, buffer.baseAddress, buffer.count)
    }
  }

  /// The digest of the bytes since the last part ended; starts the next part.
  package mutating func finishPart() -> Digest {
    unsafe digest { unsafe ck_sha256_pair_finish_second(pair, $0) }
  }

  /// The digest of all bytes; nothing may follow.
  package mutating func finish() -> Digest {
    unsafe digest { unsafe ck_sha256_pair_finish_first(pair, $0) }
  }

  private func digest(_ write: (UnsafeMutablePointer<UInt8>) -> Void) -> Digest {
    var bytes = [UInt8](repeating: 0, count: 32)
    unsafe bytes.withUnsafeMutableBufferPointer { buffer in
      if let base = buffer.baseAddress { unsafe write(base) }
    }
    return Digest(bytes: bytes)
  }
}
