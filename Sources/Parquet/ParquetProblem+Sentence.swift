import ByteIO

extension ParquetProblem {
  var sentence: String {
    switch self {
    case .file(let error): error.message
    case .notParquet: "not a Parquet file: it does not begin with PAR1"
    case .truncatedFile: "the file does not end with PAR1"
    case .footerPastEnd(let count, let limit):
      "a footer of \(count) bytes in a file that has room for \(limit)"
    case .footerTooLong(let count, let limit):
      "a footer of \(count) bytes; at most \(limit) are allowed"
    case .encrypted: "the file is encrypted, which is not supported"
    case .externalFile(let name): "the column's data is in another file, \"\(name)\""
    case .codec(let name): "compression \(name) is not supported"
    case .checksum(let stored, let computed):
      "the page's checksum is \(stored), but its bytes have \(computed)"
    case .decompression(let reason): reason
    case .rowCount(let found, let stated): "\(found) rows, but \(stated) were stated"
    case .unequalParts(let a, let b):
      "columns of one structure disagree: \(a) values against \(b)"
    case .pageTooLarge(let count, let limit): "a page of \(count) bytes; at most \(limit) are read"
    case .tooManyValues(let count, let limit):
      "a page of \(count) values; at most \(limit) are read"
    case .tooMuchWork(let limit):
      "the row group unfolds to more than \(limit) bytes, too many for its size in the file"
    default: thriftSentence ?? schemaSentence ?? valueSentence
    }
  }

  private var thriftSentence: String? {
    switch self {
    case .thriftEnd: "the bytes end inside a field"
    case .thriftVarint: "a number of more than ten bytes"
    case .thriftType(let type): "\(type) is not a type of Thrift's compact protocol"
    case .thriftDepth(let limit): "structures are nested deeper than \(limit) levels"
    case .thriftCount(let count, let left): "\(count) elements in \(left) bytes"
    case .wrongType(let field): "field \(field) has the wrong type"
    case .missing(let field): "field \(field) is missing"
    case .notUTF8(let field): "field \(field) is not valid UTF-8"
    case .negative(let field, let value): "field \(field) is \(value)"
    default: nil
    }
  }

  private var schemaSentence: String? {
    switch self {
    case .schemaEmpty: "the schema has no columns"
    case .schemaChildren(let name, let count, let left):
      "\"\(name)\" has \(count) children, and \(left) elements follow"
    case .schemaDepth(let limit): "the schema is deeper than \(limit) levels"
    case .schemaExtra(let count): "\(count) elements of the schema belong to nothing"
    case .tooManyColumns(let limit): "more than \(limit) columns"
    case .duplicateColumn(let name): "two columns are called \"\(name)\""
    case .elementType(let name, let type): "\"\(name)\" has type \(type), which does not exist"
    case .repetition(let name, let value): "\"\(name)\" has repetition \(value), not 0, 1 or 2"
    case .typeLength(let name, let length): "\"\(name)\" has values of \(length) bytes"
    case .decimalScale(let name, let scale): "\"\(name)\" has scale \(scale), not 0 to 38"
    case .physicalType(let name): "columns of type \(name) are not supported"
    case .chunkCount(let count, let columns):
      "\(count) column chunks, but the schema has \(columns) columns"
    case .rowTotal(let found, let stated): "row groups of \(found) rows, but \(stated) were stated"
    case .chunkType(let found, let schema): "type \(found), but the schema says \(schema)"
    case .chunkRange(let start, let count, let limit):
      "\(count) bytes from byte \(start) on, not within 4 and \(limit)"
    case .overlap(let other): "shares bytes with the column chunk at byte \(other)"
    default: nil
    }
  }

  private var valueSentence: String {
    switch self {
    case .pageSize(let compressed, let uncompressed, let left):
      "a page of \(compressed) bytes, \(uncompressed) decompressed, where \(left) are left"
    case .pageType(let type): "page type \(type) does not exist"
    case .valueTotal(let found, let stated): "pages of \(found) values, but \(stated) were stated"
    case .levelEncoding(let name): "levels are encoded as \(name), which is not supported"
    case .levelBytes(let count, let left): "levels of \(count) bytes, but \(left) are left"
    case .level(let level, let limit): "a level of \(level); at most \(limit) is possible"
    case .firstLevel(let level): "the first value has repetition level \(level), not 0"
    case .dictionaryMissing: "values refer to a dictionary that is not there"
    case .dictionaryTwice: "a second dictionary"
    case .dictionaryIndex(let index, let count):
      "dictionary index \(index), but the dictionary has \(count) values"
    case .encoding(let name): "encoding \(name) is not supported for this type"
    case .valuesEnd(let what, let wanted): "the \(what) end before value \(wanted)"
    case .stringPastEnd(let length, let left):
      "a string of \(length) bytes where \(left) are left"
    case .bitWidth(let width, let limit): "values of \(width) bits; at most \(limit) are possible"
    case .emptyRun: "a run without values"
    case .deltaHeader(let reason): "a delta header with \(reason)"
    case .deltaCount(let count, let expected): "\(count) deltas where \(expected) are expected"
    case .stringLength(let length): "a string of \(length) bytes"
    case .prefix(let length, let previous):
      "a prefix of \(length) bytes after a string of \(previous)"
    default: rule
    }
  }
}
