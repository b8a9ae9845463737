import ByteIO
import CZlib

/// A running raw-deflate decoder (RFC 1951), by zlib.
@safe
struct ZlibInflater: ~Copyable {
  enum Status {
    case more
    case done
    case damaged
  }

  /// On the heap, because zlib keeps a pointer to it.
  private let stream: UnsafeMutablePointer<z_stream>

  init() {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    let status = unsafe ck_inflate_init(stream)
    precondition(status == Z_OK, "zlib cannot start")
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Decodes from `input`, from byte `start` on, into `output`, from byte `position` on.
  ///
  /// - Returns: Bytes taken, bytes made, and whether the stream goes on.
  mutating func inflate(
    _ input: [UInt8], from start: Int, into output: inout MutableRawSpan, at position: Int
  ) -> (taken: Int, made: Int, status: Status) {
    precondition(start <= input.count && position <= output.byteCount, "positions lie within")
    // zlib counts in 32 bits.
    let offered = min(input.count - start, 1 << 30)
    let room = min(output.byteCount - position, 1 << 30)
    let code = unsafe input.withUnsafeBufferPointer { source in
      unsafe output.withUnsafeMutableBytes { target in
        // SAFETY: zlib only reads its input, and writes no more than `avail_out` bytes.
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
          mutating: source.baseAddress.map { unsafe $0 + start })
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
func crc32(_ bytes: RawSpan, after start: UInt32 = 0) -> UInt32 {
  unsafe bytes.withUnsafeBytes { buffer in
    unsafe UInt32(
      truncatingIfNeeded: crc32_z(
        UInt(start), buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count))
  }
}
