import Archives
import JSON

/// The objects of a file of JSON lines; blank lines are passed over.
struct LineRecords: RecordSource {
  private let path: String
  private var lines: LineReader

  init(_ path: String) throws {
    self.path = path
    lines = LineReader(try DecompressedStream(path))
  }

  mutating func next() throws -> Record? {
    while let bytes = try lines.next() {
      if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
      return Record(
        try JSONObject(record: bytes, path, .line(lines.line)), .line(lines.line))
    }
    return nil
  }
}
