import ByteIO
package import JSON
package import Training

/// What `ckpt eval` measures.
package enum EvalTask: String, CaseIterable {
  /// How well the model predicts a text.
  case loss
  /// Whether the model's own answer to a question is the given one.
  case exactMatch = "exact-match"
  /// Whether the model finds the right one of several answers the most likely.
  case multipleChoice = "multiple-choice"
  /// How likely what training learns of each document is, and whether greedy decoding says it.
  case answers
}

/// One record of a file with questions.
package struct EvalRecord {
  package let path: String
  package let place: DataError.Place
  /// Its line in a file of lines, its number from 1 in others.
  package let line: Int
  package let fields: JSONObject

  /// The records of a file, compressed or not, up to `limit`.
  package static func read(_ path: String, limit: Int? = nil) throws -> [EvalRecord] {
    let kind = try DataSniffer(path).kind
    guard kind.isRecords else { throw DataError(.notRecords(kind), path) }
    var source = try recordSource(path, kind)
    var records: [EvalRecord] = []
    while records.count < limit ?? .max, let record = try source.next() {
      var line = records.count + 1
      if case .line(let number) = record.place { line = number }
      records.append(
        EvalRecord(path: path, place: record.place, line: line, fields: record.object))
    }
    return records
  }

  /// The task that a record is made for, by its fields.
  package var task: EvalTask {
    if fields["choices"] != nil { return .multipleChoice }
    return fields["question"] != nil ? .exactMatch : .loss
  }

  /// The text of a field; a number's is its spelling.
  package func text(_ field: String) throws(DataError) -> String {
    switch fields[field] {
    case .string(let text): return text
    case .number(let number): return number.text
    case nil: throw error(missing([field]))
    default: throw error(.wrongType(field: field, wanted: "a string or a number"))
    }
  }

  /// The answers to choose from: a list of texts, or an object with lists `text` and `label`.
  package func choices() throws(DataError) -> (texts: [String], labels: [String]) {
    let value = fields["choices"]
    let listed = value?.array ?? value?["text"]?.array ?? []
    let texts = listed.compactMap(\.string)
    guard texts.count == listed.count, texts.count > 1 else {
      throw error(.wrongType(field: "choices", wanted: "a list of at least two texts"))
    }
    let given = value?["label"]?.array ?? fields["labels"]?.array
    let labels = given?.compactMap(\.string) ?? texts.indices.map(Self.letter)
    guard labels.count == texts.count else {
      throw error(.wrongType(field: "labels", wanted: "a list of a text for each choice"))
    }
    return (texts, labels)
  }

  /// Index of the right choice: `answer` is that index, a label, or the choice itself; ARC's
  /// `answerKey` counts as well.
  package func rightChoice(_ texts: [String], _ labels: [String]) throws(DataError) -> Int {
    let field = fields["answer"] == nil && fields["answerKey"] != nil ? "answerKey" : "answer"
    guard let value = fields[field] else { throw error(missing(["answer", "answerKey"])) }
    let index =
      value.string.flatMap { labels.firstIndex(of: $0) ?? texts.firstIndex(of: $0) }
      ?? value.integer ?? value.string.flatMap { Int($0) }
    guard let index, texts.indices.contains(index) else {
      throw error(
        .wrongType(field: field, wanted: "the index, the label or the text of a choice"))
    }
    return index
  }

  /// The value of a field, for a table: a text, a number or a truth value.
  package func group(_ field: String) throws(DataError) -> String {
    if let flag = fields[field]?.bool { return flag ? "true" : "false" }
    return try text(field)
  }

  package func error(_ problem: DataError.Problem) -> DataError { DataError(problem, path, place) }

  private func missing(_ names: [String]) -> DataError.Problem {
    .missingField(names, found: fields.members.map(\.key))
  }

  /// A, B, C, …; numbers after Z.
  private static func letter(_ index: Int) -> String {
    guard index < 26 else { return "\(index)" }
    return String(UnicodeScalar(UInt8(ascii: "A") + UInt8(index)))
  }
}
