import Archives
import ByteIO
import JSON
import Scoring
import Training

/// The prompts of a file: a line each of a text, or the field `prompt` of each record; or a
/// conversation, the field `messages`.
struct PromptFile {
  struct Entry {
    let text: String
    /// The turns of a conversation that is to be gone on with; nil for a text.
    var messages: [JSONValue]?
    /// The record's own.
    let seed: UInt64?
    let place: DataError.Place
  }

  let path: String
  private(set) var entries: [Entry] = []

  init(_ path: String) throws {
    self.path = path
    let kind = try DataSniffer(path).kind
    if kind.isRecords {
      entries = try EvalRecord.read(path).map { record in
        let messages = try Self.messages(record)
        return Entry(
          text: try messages?.last?["content"]?.string ?? record.text("prompt"),
          messages: messages, seed: try Self.seed(record), place: record.place)
      }
    } else if kind.isTokens {
      throw DataError(.notDocuments(kind), path)
    } else {
      try readLines()
    }
    guard !entries.isEmpty else { throw DataError(.empty, path) }
  }

  private static func messages(_ record: EvalRecord) throws(DataError) -> [JSONValue]? {
    guard let field = record.fields["messages"], !field.isNull else { return nil }
    guard let turns = field.array, !turns.isEmpty,
      turns.allSatisfy({ $0["role"]?.string != nil && $0["content"]?.string != nil })
    else {
      throw record.error(
        .wrongType(field: "messages", wanted: "a list of objects with role and content"))
    }
    return turns
  }

  private static func seed(_ record: EvalRecord) throws(DataError) -> UInt64? {
    switch record.fields["seed"] {
    case nil, .null: return nil
    case .number(let number):
      if let seed = UInt64(number.text) { return seed }
    default: break
    }
    throw record.error(.wrongType(field: "seed", wanted: "a whole number from 0 on"))
  }

  /// Lines of white space alone are no prompts.
  private mutating func readLines() throws {
    var lines = LineReader(try DecompressedStream(path))
    while let bytes = try lines.next() {
      if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw DataError(.invalidUTF8, path, line: lines.line)
      }
      entries.append(Entry(text: text, seed: nil, place: .line(lines.line)))
    }
  }
}
