import ByteIO
package import JSON

/// Reads the text of one JSON record.
struct RecordReader {
  let format: TextFormat
  let path: String
  let template: TextEncoder.Chat?

  /// The text of the record on line `line`.
  func text(_ bytes: [UInt8], line: Int) throws(DataError) -> ConversationText {
    let record = try JSONObject(record: bytes, path, line: line)
    let fields = format.fields
    if record[fields.text] != nil {
      return ConversationText([Segment(try string(record, fields.text, line))], learnsEnding: true)
    }
    if record[fields.prompt] != nil {
      let segments = [
        Segment(try string(record, fields.prompt, line), isTarget: false),
        Segment(try string(record, fields.completion, line)),
      ]
      return ConversationText(segments, learnsEnding: true)
    }
    guard let messages = record[fields.messages] else {
      throw DataError(
        .missingField([fields.text, fields.prompt, fields.messages]), path, line: line)
    }
    return try chat(messages, tools: record["tools"], line)
  }

  private func chat(
    _ messages: JSONValue, tools: JSONValue?, _ line: Int
  ) throws(DataError) -> ConversationText {
    let field = format.fields.messages
    guard let list = messages.array else {
      throw DataError(.wrongType(field: field, wanted: "a list"), path, line: line)
    }
    for message in list {
      guard let message = message.object else {
        throw DataError(.wrongType(field: field, wanted: "a list of objects"), path, line: line)
      }
      _ = try string(message, "role", line)
    }
    guard let template else { throw DataError(.noChatTemplate, path, line: line) }
    do { return try template.text(list, tools) } catch {
      let reason = (error as? any DiagnosedError)?.message ?? "\(error)"
      throw DataError(.badChat(reason), path, line: line)
    }
  }

  private func string(
    _ record: JSONObject, _ field: String, _ line: Int
  ) throws(DataError) -> [UInt8] {
    guard let value = record[field] else {
      throw DataError(.missingField([field]), path, line: line)
    }
    guard let text = value.string else {
      throw DataError(.wrongType(field: field, wanted: "a string"), path, line: line)
    }
    return Array(text.utf8)
  }
}

extension JSONObject {
  /// The record on a line of JSONL.
  package init(record bytes: [UInt8], _ path: String, line: Int) throws(DataError) {
    let value: JSONValue
    do throws(JSONError) { value = try JSONValue(parsing: bytes) } catch {
      if error.problem == .invalidUTF8 { throw DataError(.invalidUTF8, path, line: line) }
      throw DataError(
        .notAnObject("\(error.message), at column \(error.position + 1)"), path, line: line)
    }
    guard let record = value.object else {
      throw DataError(.notAnObject("another value"), path, line: line)
    }
    self = record
  }
}
