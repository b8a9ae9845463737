import Columns

/// The decoded values of a data page, with the levels that say where they belong.
struct Page {
  /// A level for each value, missing ones included; nil where there is only level 0.
  var repetitions: [UInt8]?
  /// nil where every value is there.
  var definitions: [UInt8]?
  /// Values that are there.
  var values: PrimitiveValues
  /// Values, missing ones included.
  var count: Int
}

/// Decodes a page's bytes after decompression.
struct PageDecoder {
  let leaf: Leaf
  let dictionary: PrimitiveValues?
  /// Bytes that strings may unfold to.
  let limit: Int

  func decode(_ page: PageHeader.DataPage, _ bytes: [UInt8]) throws(ParquetProblem) -> Page {
    var cursor = PageCursor(bytes, 0..<bytes.count)
    var repetitions: [UInt8]?
    var definitions: [UInt8]?
    if leaf.maximumRepetition > 0 {
      repetitions = try levels(
        &cursor, page.valueCount, maximum: leaf.maximumRepetition,
        stated: page.levelBytes?.repetition, encoding: page.levelEncodings.repetition)
    } else if let stated = page.levelBytes?.repetition {
      try cursor.skip(stated, "levels")
    }
    if leaf.maximumDefinition > 0 {
      definitions = try levels(
        &cursor, page.valueCount, maximum: leaf.maximumDefinition,
        stated: page.levelBytes?.definition, encoding: page.levelEncodings.definition)
    } else if let stated = page.levelBytes?.definition {
      try cursor.skip(stated, "levels")
    }
    var present = page.valueCount
    if let levels = definitions {
      let maximum = UInt8(leaf.maximumDefinition)
      present = levels.count { $0 == maximum }
      if present == levels.count, leaf.maximumRepetition == 0 { definitions = nil }
    }
    return Page(
      repetitions: repetitions, definitions: definitions,
      values: try values(&cursor, present, encoding: page.encoding), count: page.valueCount)
  }

  /// PQ-13: levels in runs; version 1 states their length in the page, version 2 in its header.
  private func levels(
    _ cursor: inout PageCursor, _ count: Int, maximum: Int, stated: Int?, encoding: Int
  ) throws(ParquetProblem) -> [UInt8] {
    guard encoding == 3 || stated != nil else { throw .levelEncoding(encodingName(encoding)) }
    let length: Int
    if let stated { length = stated } else { length = Int(try cursor.number(4, "levels")) }
    guard length <= cursor.left else { throw .levelBytes(length, left: cursor.left) }
    var part = PageCursor(cursor.bytes, cursor.position..<(cursor.position + length))
    try cursor.skip(length, "levels")
    return try part.runs(
      count, width: Int.bitWidth - maximum.leadingZeroBitCount, limit: UInt8(maximum)
    ) { .level(Int($0), limit: maximum) }
  }

  /// PQ-15: the values that are there.
  private func values(
    _ cursor: inout PageCursor, _ count: Int, encoding: Int
  ) throws(ParquetProblem) -> PrimitiveValues {
    switch (encoding, leaf.physical) {
    case (0, _): return try cursor.plain(leaf, count)
    case (2, _), (8, _): return try indexed(&cursor, count)
    case (3, .boolean):
      try cursor.skip(4, "values")
      let bits = try cursor.runs(count, width: 1, limit: UInt8(1)) { .level(Int($0), limit: 1) }
      return .booleans(bits.map { $0 == 1 })
    case (5, .int32), (5, .int64): return try cursor.deltaIntegers(leaf, count)
    case (6, .byteArray): return .bytes(try cursor.deltaLengthStrings(count))
    case (7, .byteArray), (7, .fixedLengthByteArray):
      return .bytes(try fixed(try cursor.deltaStrings(count, limit: limit)))
    case (9, _): return try cursor.splitStreams(leaf, count)
    default: throw .encoding(encodingName(encoding))
    }
  }

  /// Strings of a type that states their length must have it.
  private func fixed(_ strings: ByteStrings) throws(ParquetProblem) -> ByteStrings {
    guard leaf.physical == .fixedLengthByteArray else { return strings }
    for (start, end) in zip(strings.starts, strings.ends) where Int(end - start) != leaf.typeLength
    {
      throw .stringLength(Int(end - start))
    }
    return strings
  }

  /// PQ-14: values as indices of the dictionary, after a byte with their bit width.
  private func indexed(
    _ cursor: inout PageCursor, _ count: Int
  ) throws(ParquetProblem) -> PrimitiveValues {
    guard let dictionary else { throw .dictionaryMissing }
    if count == 0 { return dictionary.gathering([]) }
    let width = Int(try cursor.byte("values"))
    guard width <= 32 else { throw .bitWidth(width, limit: 32) }
    guard dictionary.count > 0 else { throw .dictionaryIndex(0, count: 0) }
    let indices = try cursor.runs(
      count, width: width, limit: UInt32(clamping: dictionary.count - 1)
    ) { .dictionaryIndex(Int($0), count: dictionary.count) }
    return dictionary.gathering(indices)
  }
}

/// An encoding's name in the format's own spelling.
func encodingName(_ number: Int) -> String {
  let names = [
    0: "PLAIN", 2: "PLAIN_DICTIONARY", 3: "RLE", 4: "BIT_PACKED", 5: "DELTA_BINARY_PACKED",
    6: "DELTA_LENGTH_BYTE_ARRAY", 7: "DELTA_BYTE_ARRAY", 8: "RLE_DICTIONARY",
    9: "BYTE_STREAM_SPLIT",
  ]
  return names[number] ?? "\(number)"
}
