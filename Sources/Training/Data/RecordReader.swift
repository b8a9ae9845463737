import ByteIO
import JSON

/// Reads the text of one JSON record.
struct RecordReader {
  let format: TextFormat
  let path: String

  /// The segments of the record on line `line`.
  func segments(_ bytes: [UInt8], line: Int) throws(DataError) -> [Segment] {
    let value: JSONValue
    do throws(JSONError) { value = try JSONValue(parsing: bytes) } catch {
      if error.problem == .invalidUTF8 { throw DataError(.invalidUTF8, path, line: line) }
      throw DataError(
        .notAnObject("\(error.message), at column \(error.position + 1)"), path, line: line)
    }
    guard let record = value.object else {
      throw DataError(.notAnObject("another value"), path, line: line)
    }
    let fields = format.fields
    if record[fields.text] != nil {
      return [Segment(try string(record, fields.text, line))]
    }
    if record[fields.prompt] != nil {
      return [
        Segment(try string(record, fields.prompt, line), isTarget: false),
        Segment(try string(record, fields.completion, line)),
      ]
    }
    guard let messages = record[fields.messages] else {
      throw DataError(
        .missingField([fields.text, fields.prompt, fields.messages]), path, line: line)
    }
    return try chat(messages, line)
  }

  private func chat(_ messages: JSONValue, _ line: Int) throws(DataError) -> [Segment] {
    guard let list = messages.array else {
      throw DataError(.wrongType(field: format.fields.messages, wanted: "a list"), path, line: line)
    }
    var segments: [Segment] = []
    for message in list {
      guard let message = message.object else {
        throw DataError(
          .wrongType(field: format.fields.messages, wanted: "a list of objects"), path, line: line)
      }
      let role = String(decoding: try string(message, "role", line), as: UTF8.self)
      let content = try string(message, "content", line)
      let closing = format.chat.closing
      segments.append(Segment(Array(format.chat.opening(role).utf8), isTarget: false))
      segments.append(
        Segment(content + Array(closing.answer.utf8), isTarget: role == "assistant"))
      if !closing.rest.isEmpty {
        segments.append(Segment(Array(closing.rest.utf8), isTarget: false))
      }
    }
    return segments
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
