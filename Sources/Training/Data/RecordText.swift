import ByteIO
package import JSON

/// Makes a text of a record, by the fields that it has.
///
/// The first of these decides: `text`; a conversation in `messages` or `conversations`; `prompt` with
/// `completion`; `instruction` with `output`, and perhaps `input`; `content`. A field that is null is
/// not there. Where the user has named fields, only those count.
struct RecordText {
  let fields: TextFormat.Fields
  let path: String
  let template: TextEncoder.Chat?

  /// Fields by which the usual layouts are known.
  static let usualFields: Set = [
    "text", "messages", "conversations", "prompt", "completion", "instruction", "output", "content",
  ]

  /// Every field that is looked at.
  static func wanted(_ fields: TextFormat.Fields) -> [String] {
    let named = [fields.text, fields.prompt, fields.completion, fields.messages, "tools"]
    guard fields.areUsual else { return named }
    return named + usualFields + ["input", "system", "chosen", "rejected"] + RecordTokens.fields
  }

  func text(_ record: Record) throws(DataError) -> ConversationText {
    let place = record.place
    let has = { (name: String) in record.object[name].map { !$0.isNull } ?? false }
    if has(fields.text) { return whole(try string(record, fields.text)) }
    if has(fields.messages) { return try chat(messages(record, fields.messages), record) }
    if fields.areUsual {
      if has("conversations") { return try chat(shareGPT(record), record) }
      if has("chosen"), has("rejected") { throw DataError(.preferences, path, place) }
    }
    if has(fields.prompt) {
      return try answered(try string(record, fields.prompt), try string(record, fields.completion))
    }
    if fields.areUsual {
      if has("instruction"), has("output") { return try alpaca(record) }
      if has("content") { return whole(try string(record, "content")) }
    }
    let usual = fields.areUsual ? ["conversations", "instruction", "content", "input_ids"] : []
    throw DataError(
      .missingField(
        [fields.text, fields.messages, fields.prompt] + usual,
        found: record.object.members.filter { !$0.value.isNull }.map(\.key)),
      path, place)
  }

  private func whole(_ text: String) -> ConversationText {
    ConversationText([Segment(Array(text.utf8))], learnsEnding: true)
  }

  private func answered(_ prompt: String, _ answer: String) throws(DataError) -> ConversationText {
    ConversationText(
      [Segment(Array(prompt.utf8), isTarget: false), Segment(Array(answer.utf8))],
      learnsEnding: true)
  }

  // MARK: Conversations

  private func messages(_ record: Record, _ field: String) throws(DataError) -> [JSONValue] {
    guard let list = record.object[field]?.array else {
      throw DataError(.wrongType(field: field, wanted: "a list"), path, record.place)
    }
    for message in list {
      guard let role = message.object?["role"] else {
        throw DataError(
          .wrongType(field: field, wanted: "a list of objects with a role"), path, record.place)
      }
      guard role.string != nil else {
        throw DataError(.wrongType(field: "role", wanted: "a string"), path, record.place)
      }
    }
    return list
  }

  private func chat(
    _ messages: [JSONValue], _ record: Record
  ) throws(DataError) -> ConversationText {
    guard let template else { throw DataError(.noChatTemplate, path, record.place) }
    let tools = record.object["tools"].flatMap { $0.isNull ? nil : $0 }
    do { return try template.text(messages, tools) } catch {
      let reason = (error as? any DiagnosedError)?.message ?? "\(error)"
      throw DataError(.badChat(reason), path, record.place)
    }
  }

  private static let shareGPTRoles = [
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "chatgpt": "assistant", "system": "system", "tool": "tool",
  ]

  /// ShareGPT's turns, `from` and `value`, as messages; some files have `role` and `content` there.
  private func shareGPT(_ record: Record) throws(DataError) -> [JSONValue] {
    let field = "conversations"
    let turns = record.object[field]?.array ?? []
    if turns.first?["role"] != nil { return try messages(record, field) }
    var result: [JSONValue] = []
    if let system = record.object["system"]?.string, !system.isEmpty {
      result.append(["role": "system", "content": .string(system)])
    }
    for turn in turns {
      guard let from = turn["from"]?.string, let value = turn["value"]?.string else {
        throw DataError(
          .wrongType(field: field, wanted: "a list of objects with from and value"), path,
          record.place)
      }
      guard let role = Self.shareGPTRoles[from] else {
        throw DataError(.badChat("there is no speaker called \"\(from)\""), path, record.place)
      }
      result.append(["role": .string(role), "content": .string(value)])
    }
    guard !turns.isEmpty else {
      throw DataError(.wrongType(field: field, wanted: "a list of turns"), path, record.place)
    }
    return result
  }

  /// Alpaca's records: a conversation of two turns where there is a chat template, else in the words of
  /// the file's inventors (github.com/tatsu-lab/stanford_alpaca).
  private func alpaca(_ record: Record) throws(DataError) -> ConversationText {
    let (task, answer) = (try string(record, "instruction"), try string(record, "output"))
    let given = record.object["input"].flatMap { $0.isNull ? nil : $0 } ?? ""
    guard let input = given.string else {
      throw DataError(.wrongType(field: "input", wanted: "a string"), path, record.place)
    }
    if template != nil {
      let question = input.isEmpty ? task : task + "\n\n" + input
      return try chat(
        [
          ["role": "user", "content": .string(question)],
          ["role": "assistant", "content": .string(answer)],
        ], record)
    }
    let beginning =
      "Below is an instruction that describes a task"
      + (input.isEmpty ? ". " : ", paired with an input that provides further context. ")
      + "Write a response that appropriately completes the request.\n\n### Instruction:\n\(task)\n\n"
    let middle = input.isEmpty ? "" : "### Input:\n\(input)\n\n"
    return try answered(beginning + middle + "### Response:", answer)
  }

  private func string(_ record: Record, _ field: String) throws(DataError) -> String {
    guard let value = record.object[field], !value.isNull else {
      throw DataError(
        .missingField([field], found: record.object.members.map(\.key)), path, record.place)
    }
    guard let text = value.string else {
      throw DataError(.wrongType(field: field, wanted: "a string"), path, record.place)
    }
    return text
  }
}

extension JSONObject {
  /// The record that a text is.
  package init(
    record bytes: [UInt8], _ path: String, _ place: DataError.Place
  ) throws(DataError) {
    let value: JSONValue
    do throws(JSONError) { value = try JSONValue(parsing: bytes) } catch {
      if error.problem == .invalidUTF8 { throw DataError(.invalidUTF8, path, place) }
      throw DataError(
        .notAnObject("\(error.message), at column \(error.position + 1)"), path, place)
    }
    guard let record = value.object else {
      throw DataError(.notAnObject("another value"), path, place)
    }
    self = record
  }
}
