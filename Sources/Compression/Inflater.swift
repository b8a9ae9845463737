import CZlib

/// A running decoder of deflated bytes, by zlib.
@safe
package struct Inflater: ~Copyable {
  package enum Status {
    case more
    case done
    case damaged
  }

  /// What surrounds the deflated bytes.
  package enum Wrapping: Int32 {
    /// Nothing (RFC 1951).
    case none = -15
    /// A member of a gzip file (RFC 1952), its checksum verified.
    case gzip = 31
  }

  /// On the heap, because zlib keeps a pointer to it.
  private let stream: UnsafeMutablePointer<z_stream>

  package init(_ wrapping: Wrapping = .none) {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    let status = unsafe ck_inflate_init(stream, wrapping.rawValue)
    precondition(status == Z_OK, "zlib cannot start")
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Decodes from `input`, from byte `start` on, into `output`, from byte `position` on.
  ///
  /// - Returns: Bytes taken, bytes made, and whether the stream goes on.
  package mutating func inflate(
    _ input: RawSpan, from start: Int, into output: inout MutableRawSpan, at position: Int
  ) -> (taken: Int, made: Int, status: Status) {
    precondition(start <= input.byteCount && position <= output.byteCount, "positions lie within")
    // zlib counts in 32 bits.
    let offered = min(input.byteCount - start, 1 << 30)
    let room = min(output.byteCount - position, 1 << 30)
    let code = unsafe input.withUnsafeBytes { source in
      unsafe output.withUnsafeMutableBytes { target in
        // SAFETY: zlib only reads its input, and writes no more than `avail_out` bytes.
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
          mutating: source.baseAddress.map {
            unsafe ($0 + start).assumingMemoryBound(to: UInt8.self)
          })
        unsafe stream.pointee.avail_in = UInt32(offered)
        unsafe stream.pointee.next_out = target.baseAddress.map {
          unsafe ($0 + position).assumingMemoryBound(to: UInt8.self)
        }
        unsafe stream.pointee.avail_out = UInt32(room)
        return unsafe CZlib.inflate(stream, Z_NO_FLUSH)
      }
    }
    let status: Status =
      switch code {
      case Z_STREAM_END: .done
      case Z_OK, Z_BUF_ERROR: .more
      default: .damaged
      }
    let left = unsafe (stream.pointee.avail_in, stream.pointee.avail_out)
    return (offered - Int(left.0), room - Int(left.1), status)
  }
}

/// The CRC-32 of `bytes` after bytes whose own was `start`.
package func crc32(_ bytes: RawSpan, after start: UInt32 = 0) -> UInt32 {
  unsafe bytes.withUnsafeBytes { buffer in
    unsafe UInt32(
      truncatingIfNeeded: crc32_z(
        UInt(start), buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count))
  }
}
