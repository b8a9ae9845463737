import JSON

/// The objects of a JSON array, each read for itself: the file may be larger than memory.
struct JSONArrayRecords: RecordSource {
  private let path: String
  private var feed: ByteFeed
  private var number = 0
  private var isAtEnd = false

  /// Bytes of the longest record.
  private static let limit = 1 << 26

  init(_ path: String) throws {
    self.path = path
    feed = try ByteFeed(path)
    guard try visible() == UInt8(ascii: "[") else { throw fail("an array was expected") }
  }

  mutating func next() throws -> Record? {
    if isAtEnd { return nil }
    guard var byte = try visible() else { throw fail("the array does not end") }
    if byte == UInt8(ascii: "]"), number == 0 { return try end() }
    if number > 0 {
      if byte == UInt8(ascii: "]") { return try end() }
      guard byte == UInt8(ascii: ",") else { throw fail("',' or ']' was expected") }
      guard let next = try visible() else { throw fail("the array does not end") }
      byte = next
    }
    number += 1
    guard byte == UInt8(ascii: "{") else { throw fail("its elements are not objects") }
    let bytes = try object()
    return Record(try JSONObject(record: bytes, path, .record(number)), .record(number))
  }

  /// The rest of an object, whose first byte has been read; quotes and braces tell where it ends.
  private mutating func object() throws -> [UInt8] {
    var bytes = [UInt8(ascii: "{")]
    var (depth, isQuoted, isEscaped) = (1, false, false)
    while depth > 0 {
      guard let byte = try feed.next() else { throw fail("the array does not end") }
      guard bytes.count < Self.limit else {
        throw DataError(.recordTooLong(limit: Self.limit), path, .record(number))
      }
      bytes.append(byte)
      if isEscaped {
        isEscaped = false
      } else if isQuoted {
        if byte == UInt8(ascii: "\\") { isEscaped = true }
        if byte == UInt8(ascii: "\"") { isQuoted = false }
      } else {
        switch byte {
        case UInt8(ascii: "\""): isQuoted = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
      }
    }
    return bytes
  }

  private mutating func end() throws -> Record? {
    isAtEnd = true
    guard try visible() == nil else { throw fail("something follows the array") }
    return nil
  }

  /// The next byte that is no white space.
  private mutating func visible() throws -> UInt8? {
    while let byte = try feed.next() {
      if ![0x20, 0x09, 0x0A, 0x0D].contains(byte) { return byte }
    }
    return nil
  }

  private func fail(_ reason: String) -> DataError {
    DataError(.badJSON("\(reason), after \(feed.count) bytes and \(number) records"), path)
  }
}
