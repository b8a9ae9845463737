package import ByteIO

/// What is wrong with training data, and where.
package struct DataError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The file holds no text, no record or no token.
    case empty
    case invalidUTF8
    /// A line is no JSON object.
    case notAnObject(String)
    /// The record has none of the wanted fields, but others.
    case missingField([String], found: [String])
    case wrongType(field: String, wanted: String)
    case lineTooLong(limit: Int)
    /// The chat template cannot make a text of the record.
    case badChat(String)
    /// Records hold conversations, and nothing says how they become text.
    case noChatTemplate
    /// A token's id is not below the number of rows of the embedding.
    case tokenOutOfRange(id: Int, vocabulary: Int)
    case recordTooLong(limit: Int)
    case unknownFormat(String)
    /// The content is something else than training data.
    case notData(String)
    /// Text in an encoding of two or four bytes a character.
    case wideText(String)
    /// The content can be read in two ways.
    case ambiguous(String)
    /// A single JSON object over several lines.
    case oneObject
    case badJSON(String)
    case badTable(String)
    case cellCount(Int, names: Int)
    /// Pairs of answers, of which one is preferred.
    case preferences
    /// A folder or a pattern without files.
    case noFiles
    /// A folder with parts that are not for the same use, such as train and test.
    case severalSplits([String])
    /// What describes the files of a data set does not fit them.
    case badDescription(String)
    /// Token ids beside documents.
    case mixedSource(String)
    case badTokens(String)
    /// Records or documents are wanted.
    case notRecords(DataKind)
    case notDocuments(DataKind)
    /// The header of a .npy file breaks a rule.
    case badHeader(String)
    case unsupportedType(String)
    /// The file's length is no whole number of tokens.
    case partialToken(byteCount: Int, width: Int)
    /// Too few tokens for one row of each of the parts.
    case tooFewTokens(found: Int, needed: Int)
    case noTokenizer
    /// A prompt has no tokens, or more than the model takes.
    case promptLength(tokens: Int, context: Int)
    case badWeight(String)
    /// All epochs that were allowed have been read.
    case exhausted(epochs: Int)
    case badCache(String)
    /// Documents are to be kept apart, and nothing says where they end.
    case noBorders
    /// All of a document is passed over.
    case nothingLearned
  }

  /// Where in a file a record stands.
  package enum Place: Equatable, Sendable {
    /// Of a text, from 1.
    case line(Int)
    /// Of a JSON array, from 1.
    case record(Int)
    /// Of a table, from 1 below the names; of a file of columns, from 0 in its row group.
    case row(Int, group: Int?)
    /// Of an archive.
    case member(String)
  }

  package var problem: Problem
  package var path: String
  package var place: Place?
  package var position: Int?

  package init(_ problem: Problem, _ path: String, _ place: Place? = nil, at position: Int? = nil) {
    self.problem = problem
    self.path = path
    self.place = place
    self.position = position
  }

  package init(_ problem: Problem, _ path: String, line: Int?, at position: Int? = nil) {
    self.init(problem, path, line.map { .line($0) }, at: position)
  }

  /// Whether leaving a record out helps.
  var isOfOneRecord: Bool {
    switch problem {
    case .tokenOutOfRange, .noChatTemplate, .badJSON, .badTable, .preferences: false
    default: true
    }
  }

  package var file: String? { path }
  package var offset: Int? { position }

  package var code: String {
    switch problem {
    case .empty: "data.empty"
    case .invalidUTF8: "data.invalid_utf8"
    case .notAnObject: "data.not_an_object"
    case .missingField: "data.missing_field"
    case .wrongType: "data.wrong_type"
    case .lineTooLong: "data.line_too_long"
    case .badChat: "data.bad_chat"
    case .noChatTemplate: "data.no_chat_template"
    case .tokenOutOfRange: "data.token_out_of_range"
    case .recordTooLong: "data.record_too_long"
    case .unknownFormat: "data.unknown_format"
    case .notData: "data.not_data"
    case .wideText: "data.wide_text"
    case .ambiguous: "data.ambiguous"
    case .oneObject: "data.one_object"
    case .badJSON: "data.bad_json"
    case .badTable: "data.bad_table"
    case .cellCount: "data.cell_count"
    case .preferences: "data.preferences"
    case .noFiles: "data.no_files"
    case .severalSplits: "data.several_splits"
    case .badDescription: "data.bad_description"
    case .mixedSource: "data.mixed_source"
    case .badTokens: "data.bad_tokens"
    case .notRecords: "data.not_records"
    case .notDocuments: "data.not_documents"
    case .badHeader: "data.bad_header"
    case .unsupportedType: "data.unsupported_type"
    case .partialToken: "data.partial_token"
    case .tooFewTokens: "data.too_few_tokens"
    case .noTokenizer: "data.no_tokenizer"
    case .promptLength: "data.prompt_length"
    case .badWeight: "data.bad_weight"
    case .exhausted: "data.exhausted"
    case .badCache: "data.bad_cache"
    case .noBorders: "data.no_borders"
    case .nothingLearned: "data.nothing_learned"
    }
  }

  package var kind: FailureKind {
    switch problem {
    case .unknownFormat, .unsupportedType, .noTokenizer, .noChatTemplate, .notData, .wideText,
      .ambiguous, .oneObject, .preferences, .mixedSource, .severalSplits, .notRecords,
      .notDocuments:
      .unsupported
    case .badWeight: .usage
    case .noFiles: .inputOutput
    case .exhausted, .lineTooLong, .recordTooLong, .promptLength: .resourceLimit
    default: .malformed
    }
  }

  package var message: String {
    switch place {
    case .line(let line): "line \(line): \(sentence)"
    case .record(let number): "record \(number): \(sentence)"
    case .row(let row, let group?): "row group \(group), row \(row): \(sentence)"
    case .row(let row, nil): "row \(row): \(sentence)"
    case .member(let name): "member \(name): \(sentence)"
    case nil: sentence
    }
  }

  private var sentence: String {
    switch problem {
    case .empty: "there is nothing in it"
    case .invalidUTF8: "not valid UTF-8"
    case .notAnObject(let reason): "not a JSON object: \(reason)"
    case .missingField(let names, let found):
      "the record has no field " + Self.quoted(names, ", nor ")
        + (found.isEmpty ? "" : "; it has " + Self.quoted(Array(found.prefix(12)), ", "))
    case .wrongType(let field, let wanted): "field \"\(field)\" is not \(wanted)"
    case .lineTooLong(let limit): "a line has more than \(limit) bytes"
    case .badChat(let reason): "not a conversation: \(reason)"
    case .noChatTemplate: "the record is a conversation, and the package has no chat template"
    case .tokenOutOfRange(let id, let vocabulary):
      "token id \(id), but the model's embedding has \(vocabulary) rows"
    case .recordTooLong(let limit): "a record has more than \(limit) bytes"
    case .unknownFormat(let name): "\"\(name)\" is not a data format"
    case .notData(let what): "this is \(what), not training data"
    case .wideText(let encoding): "the text is \(encoding), not UTF-8"
    case .ambiguous(let reason): reason
    case .oneObject: "one JSON object over several lines is not a list of records"
    case .badJSON(let reason): "not a JSON array of objects: \(reason)"
    case .badTable(let reason): reason
    case .cellCount(let count, let names): "\(count) cells under \(names) names"
    case .preferences: "records with chosen and rejected answers are not training data here"
    case .noFiles: "there is no data file"
    case .severalSplits(let names): "it holds several splits: " + names.joined(separator: ", ")
    case .badDescription(let reason): reason
    case .mixedSource(let name): "token ids and documents cannot be one source: see \(name)"
    case .badTokens(let reason): reason
    case .notRecords(let kind): "this is \(kind.description), not records with fields"
    case .notDocuments(let kind): "this is \(kind.description), not documents"
    case .badHeader(let reason): "not a .npy file: \(reason)"
    case .unsupportedType(let type): "elements of type \(type) are not token ids"
    case .partialToken(let bytes, let width):
      "\(bytes) bytes are not a whole number of tokens of \(width) bytes"
    case .tooFewTokens(let found, let needed):
      "\(found) tokens; at least \(needed) are needed to train and to hold some out"
    case .noTokenizer: "text needs a tokenizer, and the package has none"
    case .promptLength(let tokens, let context):
      "the prompt has \(tokens) tokens; the model takes from 1 to \(context)"
    case .badWeight(let text): "\"\(text)\" is not a positive weight"
    case .exhausted(let epochs): "all rows have been read \(epochs) times"
    case .badCache(let reason): "the tokens are broken: \(reason)"
    case .noBorders: "nothing in the file says where its documents begin"
    case .nothingLearned: "all of it is prompt, and none of it is the answer"
    }
  }

  private static func quoted(_ names: [String], _ separator: String) -> String {
    names.map { "\"\($0)\"" }.joined(separator: separator)
  }
}
