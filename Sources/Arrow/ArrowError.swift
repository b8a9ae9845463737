package import ByteIO

/// Why bytes are not an Arrow file or stream, or why a column of one cannot be read.
package struct ArrowError: DiagnosedError, Equatable {
  package var problem: ArrowProblem
  package var path: String
  package var position: Int?
  /// Number of the record batch, from 0.
  package var batch: Int?

  package init(_ problem: ArrowProblem, _ path: String, at position: Int? = nil, batch: Int? = nil)
  {
    self.problem = problem
    self.path = path
    self.position = position
    self.batch = batch
  }

  package var file: String? { path }
  package var offset: Int? { position }

  package var kind: FailureKind {
    switch problem {
    case .file(let error): error.kind
    case .type, .bigEndian, .version, .codec: .unsupported
    case .metadataTooLong, .bufferTooLarge, .tooManyRows, .tooMuchWork: .resourceLimit
    default: .malformed
    }
  }

  package var code: String {
    if case .file(let error) = problem { return error.code }
    return "arrow." + problem.rule
  }

  package var message: String {
    (batch.map { "record batch \($0): " } ?? "") + problem.sentence
  }

  package var hint: String? {
    switch problem {
    case .notArrow, .truncated: "check that the file was downloaded whole"
    case .type, .bigEndian, .version, .codec: "write the file again with pyarrow, in plain types"
    default: nil
    }
  }
}

/// The rule of `formats/arrow.md` that a file breaks.
package enum ArrowProblem: Error, Equatable, Sendable {
  /// The file could not be read.
  case file(FileError)
  /// AR-1: messages.
  case notArrow
  case truncated(needed: Int, left: Int)
  case metadataTooLong(byteCount: Int, limit: Int)
  case noSchema
  case secondSchema
  case version(Int)
  /// AR-2: FlatBuffers.
  case flatBuffer
  case tooDeep(limit: Int)
  /// AR-3: the schema.
  case bigEndian
  case type(column: String, String)
  case children(column: String, Int)
  case width(column: String, Int)
  /// AR-4: nodes and buffers.
  case missing(String)
  case leftOver(String)
  case bufferRange(start: Int, byteCount: Int, limit: Int)
  case bufferShort(column: String, Int, needed: Int)
  case length(column: String, Int, expected: Int)
  /// AR-5: compression.
  case codec(Int)
  case decompression(String)
  /// AR-6: offsets and views.
  case offset(column: String, Int, limit: Int)
  /// AR-7: dictionaries.
  case dictionary(Int)
  case dictionaryIndex(Int, count: Int)
  /// AR-8: limits.
  case bufferTooLarge(byteCount: Int, limit: Int)
  case tooManyRows(Int, limit: Int)
  case tooMuchWork(limit: Int)

  var rule: String {
    switch self {
    case .file: "file"
    case .notArrow: "not_arrow"
    case .truncated: "truncated"
    case .metadataTooLong: "metadata_too_long"
    case .noSchema: "no_schema"
    case .secondSchema: "second_schema"
    case .version: "version"
    case .flatBuffer: "flat_buffer"
    case .tooDeep: "too_deep"
    case .bigEndian: "big_endian"
    case .type: "type"
    case .children: "children"
    case .width: "width"
    case .missing: "missing"
    case .leftOver: "left_over"
    case .bufferRange: "buffer_range"
    case .bufferShort: "buffer_short"
    case .length: "length"
    case .codec: "codec"
    case .decompression: "decompression"
    case .offset: "offset"
    case .dictionary: "dictionary"
    case .dictionaryIndex: "dictionary_index"
    case .bufferTooLarge: "buffer_too_large"
    case .tooManyRows: "too_many_rows"
    case .tooMuchWork: "too_much_work"
    }
  }

  var sentence: String {
    switch self {
    case .file(let error): error.message
    case .notArrow: "neither an Arrow file nor an Arrow stream"
    case .truncated(let needed, let left): "\(needed) bytes are needed, \(left) are left"
    case .metadataTooLong(let count, let limit):
      "a message's head of \(count) bytes; at most \(limit) are read"
    case .noSchema: "it does not begin with a schema"
    case .secondSchema: "a second schema"
    case .version(let version): "metadata version \(version) is not supported"
    case .flatBuffer: "a message's head is not a well-formed FlatBuffer"
    case .tooDeep(let limit): "tables or columns are nested deeper than \(limit) levels"
    case .bigEndian: "its numbers are big-endian"
    case .type(let column, let name): "column \(column) is of type \(name), which is not supported"
    case .children(let column, let count): "column \(column) has \(count) parts"
    case .width(let column, let width): "column \(column) has values of \(width) bits or bytes"
    case .missing(let what): "fewer \(what) than the schema's columns need"
    case .leftOver(let what): "more \(what) than the schema's columns need"
    case .bufferRange(let start, let count, let limit):
      "a buffer of \(count) bytes from byte \(start) on, in a body of \(limit)"
    case .bufferShort(let column, let count, let needed):
      "column \(column): a buffer of \(count) bytes; \(needed) are needed"
    case .length(let column, let count, let expected):
      "column \(column) has \(count) values; \(expected) are expected"
    case .codec(let number): "compression \(number) is not supported"
    case .decompression(let reason): reason
    case .offset(let column, let offset, let limit):
      "column \(column): an offset of \(offset); at most \(limit) is possible"
    case .dictionary(let id): "dictionary \(id) is not there"
    case .dictionaryIndex(let index, let count):
      "dictionary index \(index), but the dictionary has \(count) values"
    case .bufferTooLarge(let count, let limit):
      "a buffer of \(count) bytes; at most \(limit) are read"
    case .tooManyRows(let count, let limit): "\(count) values; at most \(limit) are read"
    case .tooMuchWork(let limit):
      "the batch unfolds to more than \(limit) bytes, too many for its size in the file"
    }
  }
}
