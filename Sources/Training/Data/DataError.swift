package import ByteIO

/// What is wrong with training data, and where.
package struct DataError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The file holds no text, no record or no token.
    case empty
    case invalidUTF8
    /// A line is no JSON object.
    case notAnObject(String)
    /// The record has none of the wanted fields.
    case missingField([String])
    case wrongType(field: String, wanted: String)
    case lineTooLong(limit: Int)
    /// The chat template cannot make a text of the record.
    case badChat(String)
    /// Records hold conversations, and nothing says how they become text.
    case noChatTemplate
    /// A token's id is not below the number of rows of the embedding.
    case tokenOutOfRange(id: Int, vocabulary: Int)
    case unknownFormat(String)
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
  }

  package var problem: Problem
  package var path: String
  /// Line of the file, from 1.
  package var line: Int?
  package var position: Int?

  package init(_ problem: Problem, _ path: String, line: Int? = nil, at position: Int? = nil) {
    self.problem = problem
    self.path = path
    self.line = line
    self.position = position
  }

  /// Whether leaving a record out helps.
  var isOfOneRecord: Bool {
    switch problem {
    case .tokenOutOfRange, .noChatTemplate: false
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
    case .unknownFormat: "data.unknown_format"
    case .badHeader: "data.bad_header"
    case .unsupportedType: "data.unsupported_type"
    case .partialToken: "data.partial_token"
    case .tooFewTokens: "data.too_few_tokens"
    case .noTokenizer: "data.no_tokenizer"
    case .promptLength: "data.prompt_length"
    case .badWeight: "data.bad_weight"
    case .exhausted: "data.exhausted"
    case .badCache: "data.bad_cache"
    }
  }

  package var kind: FailureKind {
    switch problem {
    case .unknownFormat, .unsupportedType, .noTokenizer, .noChatTemplate: .unsupported
    case .badWeight: .usage
    case .exhausted, .lineTooLong, .promptLength: .resourceLimit
    default: .malformed
    }
  }

  package var message: String {
    (line.map { "line \($0): " } ?? "") + sentence
  }

  private var sentence: String {
    switch problem {
    case .empty: "there is nothing in it"
    case .invalidUTF8: "not valid UTF-8"
    case .notAnObject(let reason): "not a JSON object: \(reason)"
    case .missingField(let names):
      "the record has no field "
        + names.map { "\"\($0)\"" }.joined(separator: ", nor ")
    case .wrongType(let field, let wanted): "field \"\(field)\" is not \(wanted)"
    case .lineTooLong(let limit): "a line has more than \(limit) bytes"
    case .badChat(let reason): "not a conversation: \(reason)"
    case .noChatTemplate: "the record is a conversation, and the package has no chat template"
    case .tokenOutOfRange(let id, let vocabulary):
      "token id \(id), the model's embedding has \(vocabulary) rows"
    case .unknownFormat(let name): "\"\(name)\" is no data format"
    case .badHeader(let reason): "not a .npy file: \(reason)"
    case .unsupportedType(let type): "elements of type \(type) are not token ids"
    case .partialToken(let bytes, let width):
      "\(bytes) bytes are no whole number of tokens of \(width) bytes"
    case .tooFewTokens(let found, let needed):
      "\(found) tokens, at least \(needed) are needed to train and to hold some out"
    case .noTokenizer: "text needs a tokenizer, and the package has none"
    case .promptLength(let tokens, let context):
      "the prompt takes \(tokens) tokens, the model from 1 to \(context)"
    case .badWeight(let text): "\"\(text)\" is not a positive weight"
    case .exhausted(let epochs): "all rows have been read \(epochs) times"
    case .badCache(let reason): "the tokens are broken: \(reason)"
    }
  }

  package var hint: String? {
    switch problem {
    case .noChatTemplate:
      "`ckpt train` takes a file of Jinja with --set data.chat_template=FILE"
    case .invalidUTF8, .notAnObject, .missingField, .wrongType, .lineTooLong, .badChat:
      "correct the record; `ckpt train` leaves such records out with --skip-bad-records"
    case .tokenOutOfRange: "use the tokenizer that belongs to this model"
    case .unknownFormat("parquet"):
      "make JSONL of it: duckdb -c \"COPY (SELECT text FROM 'FILE') TO 'out.jsonl' (FORMAT json)\""
    case .unknownFormat: "formats: text, jsonl, npy, bin, tokens"
    case .unsupportedType: "store tokens as uint16, uint32, int32 or int64"
    case .tooFewTokens: "give more data, or lower --sequence-length"
    case .noTokenizer: "train on a token file (.npy or .bin), or add a tokenizer.json"
    case .promptLength: "correct the record, or give fewer --shots"
    case .exhausted: "raise data.epochs, or train fewer steps"
    case .badCache: "delete the file; the command that made it makes it again"
    default: nil
    }
  }
}
