public import ByteIO
package import JSON

/// Why a tokenizer could not be read, or a text or a list of ids not be converted.
public struct TokenizerError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    case json(JSONError)
    /// The file is no protobuf message of SentencePiece.
    case notSentencePiece(offset: Int, String)
    /// The field at this path is absent.
    case missing(String)
    /// The field at this path holds something else than `wanted`.
    case invalid(String, wanted: String)
    /// The file asks for something this tokenizer does not do.
    case unsupported(String, String)
    /// A merge names a token that the vocabulary does not hold.
    case unknownMergeToken(merge: Int, token: String)
    /// Two tokens have one id.
    case duplicateID(Int, String, String)
    /// A token is spelled twice.
    case duplicateToken(String)
    /// No token has this id, though later ones exist.
    case missingID(Int, vocabularySize: Int)
    /// Arrays that run in parallel differ in length.
    case unequalCounts(String, Int, String, Int)
    /// A setting names a token that does not exist.
    case unknownToken(String, token: String)
    /// An id to decode, or one that a setting names, is none of the vocabulary's.
    case idOutOfRange(Int, vocabularySize: Int)
    /// A token is longer than those that are looked for at every place of a text.
    case tokenTooLong(String, bytes: Int, limit: Int)
    /// The steps of the tokenizer make too much of a text.
    case textTooLong(limit: Int)
    /// The splitting expression takes too long over a text.
    case splitTooSlow(bytes: Int)
    /// A character has no token, and the model no token for unknown characters.
    case noUnknownToken
  }

  package var problem: Problem
  package var path: String?

  package init(_ problem: Problem, path: String? = nil) {
    self.problem = problem
    self.path = path
  }

  /// The file at fault, where it is known.
  public var file: String? { path }
  /// Where the file is not of its format.
  public var offset: Int? {
    switch problem {
    case .json(let error): error.offset
    case .notSentencePiece(let offset, _): offset
    default: nil
    }
  }

  /// What kind of failure it is.
  public var kind: FailureKind {
    switch problem {
    case .unsupported: .unsupported
    case .idOutOfRange, .noUnknownToken: .usage
    case .tokenTooLong, .textTooLong, .splitTooSlow: .resourceLimit
    default: .malformed
    }
  }

  /// Stable identifier for programs.
  public var code: String {
    switch problem {
    case .json(let error): error.code
    case .notSentencePiece: "tokenizer.not_sentencepiece"
    case .missing: "tokenizer.missing_field"
    case .invalid: "tokenizer.invalid_field"
    case .unsupported: "tokenizer.unsupported"
    case .unknownMergeToken: "tokenizer.unknown_merge_token"
    case .duplicateID: "tokenizer.duplicate_id"
    case .duplicateToken: "tokenizer.duplicate_token"
    case .missingID: "tokenizer.missing_id"
    case .unequalCounts: "tokenizer.unequal_counts"
    case .unknownToken: "tokenizer.unknown_token"
    case .idOutOfRange: "tokenizer.id_out_of_range"
    case .tokenTooLong, .textTooLong, .splitTooSlow: "tokenizer.limit"
    case .noUnknownToken: "tokenizer.no_unknown_token"
    }
  }

  /// One sentence that names the field.
  public var message: String {
    switch problem {
    case .json(let error): error.message
    case .notSentencePiece(_, let found): "this is not a SentencePiece tokenizer.model: \(found)"
    case .missing(let field): "the tokenizer has no \(field)"
    case .invalid(let field, let wanted): "\(field) must be \(wanted)"
    case .unsupported(let field, let found): "\(field): \(found) is not supported"
    case .unknownMergeToken(let merge, let token):
      "merge \(merge) needs the token \"\(token)\", which the vocabulary does not hold"
    case .duplicateID(let id, let first, let second):
      "id \(id) belongs to both \"\(first)\" and \"\(second)\""
    case .duplicateToken(let token): "the token \"\(token)\" is listed twice"
    case .missingID(let id, let size): "no token has id \(id), though ids run to \(size - 1)"
    case .unequalCounts(let first, let m, let second, let n):
      "\(first) has \(m) entries, but \(second) has \(n)"
    case .unknownToken(let field, let token):
      "\(field) names the token \"\(token)\", which the vocabulary does not hold"
    case .idOutOfRange(let id, let size):
      "token id \(id) is out of range: the vocabulary has ids 0 to \(size - 1)"
    case .tokenTooLong(let field, let bytes, let limit):
      "\(field) has \(bytes) bytes; at most \(limit) are looked for"
    case .textTooLong(let limit): "the normalizers make more than \(limit) bytes of the text"
    case .splitTooSlow(let bytes):
      "the splitting expression takes too long on these \(bytes) bytes"
    case .noUnknownToken:
      "a character of the text has no token, and the model has none for unknown characters"
    }
  }

  /// The next step.
  public var hint: String? {
    switch problem {
    case .unsupported: "see formats/tokenizer-json.md for what is"
    default: nil
    }
  }
}
