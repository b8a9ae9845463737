import Archives
package import ByteIO
import JSON

/// Decides what a file holds: by its content, never by its name alone.
///
/// Whatever is no kind of data is refused by name: binary is never text. A name counts only where the
/// content leaves it open: bare token ids have no mark, and a line with a comma need not be a table.
package struct DataSniffer {
  package let path: String
  package private(set) var kind = DataKind.text
  /// What the user should know, such as a name that says something else.
  package private(set) var warnings: [Warning] = []

  /// The first bytes as they lie, and after decompression.
  private let raw: [UInt8]
  private let head: [UInt8]
  private let name: DataKind?

  /// Bytes that are looked at.
  private static let headSize = 1 << 16

  package init(_ path: String) throws {
    self.path = path
    name = DataKind(name: path)
    let file = try ByteRegion(path: path)
    raw = try file.bytes(0..<min(file.byteCount, Self.headSize))
    guard !raw.isEmpty else { throw DataError(.empty, path) }
    var plain = raw
    if Self.isCompressed(raw) {
      plain = []
      let stream = try DecompressedStream(path)
      while plain.count < Self.headSize, try stream.read(1 << 14, into: &plain) {}
    }
    head = plain
    guard !head.isEmpty else { throw DataError(.empty, path) }
    kind = try binaryKind() ?? textKind()
    warnOfName()
  }

  private static func isCompressed(_ bytes: [UInt8]) -> Bool {
    let marks: [[UInt8]] = [
      [0x1F, 0x8B], [0x28, 0xB5, 0x2F, 0xFD], [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00],
      [0x42, 0x5A, 0x68], [0x04, 0x22, 0x4D, 0x18],
    ]
    return marks.contains { bytes.starts(with: $0) }
  }

  private mutating func warnOfName() {
    guard let name, name != kind, !(name == .json && kind == .jsonl),
      !(name == .bin && kind.isTokens), !(name == .megatron && kind == .megatron)
    else { return }
    warnings.append(
      Warning(
        "data.other_kind",
        "the name says \(name.description), but the content is \(kind.description)",
        file: path))
  }

  // MARK: Binary

  private func binaryKind() throws -> DataKind? {
    let marks: [(String, DataKind)] = [
      ("PAR1", .parquet), ("PARE", .parquet), ("ARROW1", .arrow), ("ckpttok1", .tokens),
      ("MMIDIDX", .megatron),
    ]
    for (mark, kind) in marks where head.starts(with: mark.utf8) {
      guard raw == head else {
        throw refused("a compressed file of data")
      }
      return kind
    }
    if head.starts(with: [0x93] + Array("NUMPY".utf8)) { return .npy }
    // A stream's first message: a length that is a multiple of eight, and four bytes that point to a table.
    if head.starts(with: [0xFF, 0xFF, 0xFF, 0xFF]), head.count > 12, head[4] & 7 == 0, head[11] == 0
    {
      return .arrow
    }
    if TokenShard.isShard(head) { return .shard }
    if MDSRecords.isShard(head, named: name == .mds) { return .mds }
    if let other = Self.foreign(head) { throw refused(other) }
    if head.count >= 262, head[257..<262].elementsEqual("ustar".utf8) { return .tar }
    // Small ids of two bytes look like UTF-16.
    if name != .bin, let encoding = Self.wideEncoding(head) {
      throw DataError(.wideText(encoding), path)
    }
    let isText = Self.isText(head)
    if name == .bin {
      if try hasIndex() { return .megatron }
      guard !isText || head.count < 64 else {
        throw DataError(
          .ambiguous("the name says token ids, but the content looks like text"), path)
      }
      return .bin
    }
    guard isText else { throw refused("binary data of no known kind") }
    return nil
  }

  /// Whether Megatron's index lies beside bare token ids; an index of LitData is refused.
  private func hasIndex() throws -> Bool {
    if let index = MegatronIndex.paths(path)?.index, try pathKind(index) != nil {
      let file = try ByteRegion(path: index)
      if try file.bytes(0..<min(9, file.byteCount)) == MegatronIndex.magic { return true }
    }
    let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    let list = path[..<slash] + "index.json"
    guard try pathKind(String(list)) == .file else { return false }
    let text = try ByteRegion(path: String(list)).contents(limit: 1 << 24)
    if let index = try? JSONValue(parsing: text), index["chunks"] != nil, index["config"] != nil {
      throw refused("a chunk of a LitData set")
    }
    return false
  }

  private func refused(_ what: String) -> DataError { DataError(.notData(what), path) }

  /// Files that hold no training data.
  private static func foreign(_ head: [UInt8]) -> String? {
    switch FileSignature(Array(head.prefix(FileSignature.prefixLength))) {
    case .tar, .numpy, nil: break
    case .safetensors: if !isText(head) { return FileSignature.safetensors.description }
    case let other?: return other.description
    }
    let marks: [([UInt8], String)] = [
      (Array("FEA1".utf8), "a file of the old Feather format"),
      (Array("%PDF-".utf8), "a PDF document"),
      (Array("SQLite format 3".utf8), "an SQLite database"), (Array("ORC".utf8), "an ORC file"),
      (Array("Obj\u{1}".utf8), "an Avro file"), ([0x89, 0x50, 0x4E, 0x47], "an image"),
      ([0xFF, 0xD8, 0xFF], "an image"),
      (Array("RIFF".utf8), "an audio, video or image file"),
    ]
    if let mark = marks.first(where: { head.starts(with: $0.0) }) {
      // A text may begin with such letters.
      return isText(head) && !head.starts(with: "%PDF-".utf8) ? nil : mark.1
    }
    return nil
  }

  /// UTF-16 and UTF-32, with a mark or without: text that holds a zero in every second byte.
  private static func wideEncoding(_ head: [UInt8]) -> String? {
    if head.starts(with: [0xFF, 0xFE, 0, 0]) || head.starts(with: [0, 0, 0xFE, 0xFF]) {
      return "UTF-32"
    }
    if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) { return "UTF-16" }
    let count = min(head.count, 256) & ~1
    guard count >= 8 else { return nil }
    let (even, odd) = (stride(from: 0, to: count, by: 2), stride(from: 1, to: count, by: 2))
    for (zeros, others) in [(odd, even), (even, odd)] {
      guard zeros.allSatisfy({ head[$0] == 0 }) else { continue }
      let visible = others.count { head[$0] >= 0x20 && head[$0] < 0x7F || head[$0] == 0x0A }
      if visible * 10 >= count / 2 * 9 { return "UTF-16" }
    }
    return nil
  }

  /// Text has no zero byte, and hardly a control character but white space.
  private static func isText(_ head: [UInt8]) -> Bool {
    if head.contains(0) { return false }
    let controls = head.count { $0 < 0x09 || (0x0E..<0x1B).contains($0) || $0 == 0x7F }
    return controls * 100 <= head.count
  }

  // MARK: Text

  private func textKind() throws(DataError) -> DataKind {
    switch name {
    case .parquet, .arrow, .npy, .tokens, .tar, .mds, .megatron:
      throw refused("text, although its name says \(name?.description ?? "")")
    default: break
    }
    var text = head[...]
    if text.starts(with: [0xEF, 0xBB, 0xBF]) { text = text.dropFirst(3) }
    let start = text.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    switch start.first {
    case UInt8(ascii: "{"):
      if isObjectLine(start) { return .jsonl }
      if name == .json || name == .jsonl { return try jsonKind(start) }
    case UInt8(ascii: "["):
      let next = start.dropFirst().first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
      if next == UInt8(ascii: "{") || name == .json { return .json }
    default: break
    }
    switch name {
    case .jsonl: return .jsonl
    case .json: throw DataError(.notAnObject("neither objects nor an array of them"), path, line: 1)
    case .csv, .tsv: return name ?? .csv
    default: return tableKind(text) ?? .text
    }
  }

  /// A name that says JSON over an object that does not end in its first line.
  private func jsonKind(_ start: ArraySlice<UInt8>) throws(DataError) -> DataKind {
    let line = start.prefix { $0 != 0x0A }
    if name == .json, line.count < start.count { throw DataError(.oneObject, path, line: 1) }
    return .jsonl
  }

  /// Whether the first line is an object; a line longer than what is looked at may be one.
  private func isObjectLine(_ text: ArraySlice<UInt8>) -> Bool {
    let line = text.prefix { $0 != 0x0A }
    if line.count == text.count, head.count >= Self.headSize {
      return line.dropFirst().first { ![0x20, 0x09].contains($0) } == UInt8(ascii: "\"")
    }
    return (try? JSONValue(parsing: Array(line)))?.object != nil
  }

  /// Lines of equally many cells under names of which one is a field that records have.
  private func tableKind(_ text: ArraySlice<UInt8>) -> DataKind? {
    let lines = text.split(separator: 0x0A, maxSplits: 3).prefix(3)
    guard let first = lines.first, lines.count > 1 else { return nil }
    for (kind, mark) in [(DataKind.tsv, UInt8(ascii: "\t")), (.csv, UInt8(ascii: ","))] {
      let names = first.split(separator: mark, omittingEmptySubsequences: false).map {
        String(decoding: $0.filter { $0 != 0x0D && $0 != 0x22 }, as: UTF8.self)
      }
      guard names.count > 1, names.contains(where: RecordText.usualFields.contains) else {
        continue
      }
      return kind
    }
    return nil
  }
}
