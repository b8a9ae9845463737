import ByteIO

/// Reads the fields of a GGUF header one after another, fetching no more of the file than they
/// take.
///
/// No length in the file is trusted before it was compared with what is left of the file.
struct GGUFCursor {
  /// Longest string, in bytes (GG-6).
  static let stringLimit = 1 << 30
  /// Bytes that are fetched at a time, unless a field takes more.
  private static let step = 512 << 10

  private let region: ByteRegion
  /// The file's bytes from its start on, as many as were needed so far.
  private var window: [UInt8] = []
  private(set) var offset = 0

  init(_ region: ByteRegion) {
    self.region = region
    // Room for a large vocabulary; memory that is not touched costs nothing.
    window.reserveCapacity(min(region.byteCount, 16 << 20))
  }

  /// Bytes from `offset` to the end of the file.
  var left: Int { region.byteCount - offset }

  mutating func read<Value: FixedWidthInteger & BitwiseCopyable>(
    _: Value.Type
  ) throws(GGUFError) -> Value {
    try need(MemoryLayout<Value>.size)
    do throws(Truncated) {
      var reader = ByteReader(window.rawSpan, at: offset)
      let value = try reader.read(Value.self)
      offset = reader.offset
      return value
    } catch {
      throw GGUFError(.truncated(needed: error.needed, left: error.left), at: offset)
    }
  }

  mutating func readBytes(_ count: Int) throws(GGUFError) -> [UInt8] {
    try need(count)
    offset += count
    return Array(window[offset - count..<offset])
  }

  /// A string: eight bytes of length, then the bytes (GG-6).
  ///
  /// - Parameter problem: What is wrong with a string of more than `limit` bytes.
  mutating func readString(
    limit: Int = stringLimit,
    problem: (UInt64) -> GGUFError.Problem = { .stringTooLong(byteCount: $0) }
  ) throws(GGUFError) -> [UInt8] {
    let count = try readStringLength(limit: limit, problem: problem)
    return try readBytes(count)
  }

  /// The length of the string that begins here; its bytes are in the file.
  private mutating func readStringLength(
    limit: Int, problem: (UInt64) -> GGUFError.Problem
  ) throws(GGUFError) -> Int {
    let start = offset
    let length = try read(UInt64.self)
    guard length <= UInt64(limit) else { throw GGUFError(problem(length), at: start) }
    guard length <= UInt64(left) else {
      throw GGUFError(.stringPastEnd(byteCount: length, left: left), at: start)
    }
    return Int(length)
  }

  /// `count` strings, and how many of them are no UTF-8.
  mutating func readStrings(_ count: Int) throws(GGUFError) -> (array: GGUFArray, invalid: Int) {
    let start = offset
    var starts: [Int] = []
    starts.reserveCapacity(count)
    var invalid = 0
    for _ in 0..<count {
      starts.append(offset - start)
      let length = try readStringLength(limit: Self.stringLimit) {
        .stringTooLong(byteCount: $0)
      }
      try need(length)
      if !isUTF8(offset..<offset + length) { invalid += 1 }
      offset += length
    }
    let bytes = Array(window[start..<offset])
    return (GGUFArray(type: .string, count: count, bytes: bytes, starts: starts), invalid)
  }

  private func isUTF8(_ range: Range<Int>) -> Bool {
    do throws(UTF8.ValidationError) {
      _ = try UTF8Span(validating: window.span.extracting(range))
      return true
    } catch { return false }
  }

  /// Makes the next `count` bytes available in the window.
  private mutating func need(_ count: Int) throws(GGUFError) {
    guard count <= left else { throw GGUFError(.truncated(needed: count, left: left), at: offset) }
    guard offset + count > window.count else { return }
    let size = max(offset + count, window.count + Self.step)
    do throws(FileError) {
      window += try region.bytes(window.count..<min(size, region.byteCount))
    } catch { throw GGUFError(.file(error)) }
  }
}
