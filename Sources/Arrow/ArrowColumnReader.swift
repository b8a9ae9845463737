import Columns

/// Builds columns of a batch's buffers.
struct ArrowColumnReader {
  var batch: ArrowBatch
  let dictionaries: [Int: Column]

  /// Steps over a field that nobody asked for.
  mutating func skip(_ field: ArrowField) throws(ArrowProblem) {
    _ = try batch.nextLength()
    switch field.layout {
    case .null: break
    case .bits, .integers, .floats, .fixed, .decimal, .dictionary: try batch.skipBuffers(2)
    case .strings: try batch.skipBuffers(3)
    case .views: try batch.skipBuffers(2 + batch.nextViewCount())
    case .list(_, let child), .map(let child):
      try batch.skipBuffers(2)
      try skip(child)
    case .fixedList(_, let child):
      try batch.skipBuffers(1)
      try skip(child)
    case .structure(let children):
      try batch.skipBuffers(1)
      for child in children { try skip(child) }
    }
  }

  /// - Parameter expected: The number of values; nil where the field itself says.
  mutating func read(_ field: ArrowField, expected: Int?) throws(ArrowProblem) -> Column {
    let count = try batch.nextLength()
    if let expected, count != expected {
      throw .length(column: field.field.name, count, expected: expected)
    }
    if case .null = field.layout { return Column(count: count, .nothing) }
    let isThere = try validity(count, field)
    switch field.layout {
    case .list, .fixedList, .structure, .map: return try nested(field, count, isThere)
    case .dictionary(let id, let width, let isSigned, _):
      return try indexed(field, count, isThere, id: id, width: width, isSigned: isSigned)
    default:
      return Column(count: count, isThere: isThere, .primitive(try values(field, count)))
    }
  }

  // MARK: Parts

  private func need(_ bytes: [UInt8], _ count: Int, _ width: Int, _ field: ArrowField)
    throws(ArrowProblem)
  {
    let (size, overflow) = count.multipliedReportingOverflow(by: width)
    guard !overflow, size <= bytes.count else {
      throw .bufferShort(column: field.field.name, bytes.count, needed: overflow ? .max : size)
    }
  }

  private mutating func bits(_ count: Int, _ field: ArrowField) throws(ArrowProblem) -> [Bool]? {
    let bytes = try batch.nextBuffer()
    if bytes.isEmpty { return nil }
    try need(bytes, (count + 7) / 8, 1, field)
    return (0..<count).map { bytes[$0 >> 3] >> UInt8($0 & 7) & 1 == 1 }
  }

  /// Marks of what is there; a buffer of nothing says that everything is.
  private mutating func validity(_ count: Int, _ field: ArrowField) throws(ArrowProblem) -> [Bool]?
  {
    guard let marks = try bits(count, field), marks.contains(false) else { return nil }
    return marks
  }

  private mutating func values(
    _ field: ArrowField, _ count: Int
  ) throws(ArrowProblem) -> PrimitiveValues {
    switch field.layout {
    case .bits:
      if let values = try bits(count, field) { return .booleans(values) }
      guard count == 0 else { throw .bufferShort(column: field.field.name, 0, needed: 1) }
      return .booleans([])
    case .integers(let width, let isSigned):
      return .integers(try integers(count, width: width, isSigned: isSigned, field))
    case .floats(let width):
      return .floats(
        try integers(count, width: width, isSigned: false, field).map { Self.float($0, width) })
    case .strings(let width): return .bytes(try strings(count, width, field))
    case .views: return .bytes(try views(count, field))
    case .fixed(let width):
      let bytes = try batch.nextBuffer()
      try need(bytes, count, width, field)
      return .bytes(Self.slices(bytes, count, width))
    case .decimal(let width):
      let bytes = try batch.nextBuffer()
      try need(bytes, count, width, field)
      // Columns have the highest byte first.
      let turned = (0..<count).flatMap { bytes[$0 * width..<($0 + 1) * width].reversed() }
      return .bytes(Self.slices(turned, count, width))
    default: preconditionFailure("a layout without parts")
    }
  }

  private static func slices(_ bytes: [UInt8], _ count: Int, _ width: Int) -> ByteStrings {
    ByteStrings(
      storage: bytes, starts: (0..<count).map { UInt32($0 * width) },
      ends: (0..<count).map { UInt32(($0 + 1) * width) })
  }

  private static func float(_ bits: Int64, _ width: Int) -> Double {
    switch width {
    case 2: Double(half: UInt16(truncatingIfNeeded: bits))
    case 4: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    default: Double(bitPattern: UInt64(bitPattern: bits))
    }
  }

  private mutating func integers(
    _ count: Int, width: Int, isSigned: Bool, _ field: ArrowField
  ) throws(ArrowProblem) -> [Int64] {
    let bytes = try batch.nextBuffer()
    try need(bytes, count, width, field)
    return Self.integers(bytes, count, width: width, isSigned: isSigned)
  }

  private static func integers(
    _ bytes: [UInt8], _ count: Int, width: Int, isSigned: Bool
  ) -> [Int64] {
    let unused = UInt64(64 - 8 * width)
    return (0..<count).map { i in
      var value: UInt64 = 0
      for j in 0..<width { value |= UInt64(bytes[i * width + j]) << UInt64(8 * j) }
      return isSigned
        ? Int64(bitPattern: value << unused) >> Int64(unused) : Int64(bitPattern: value)
    }
  }

  /// AR-6: `count` + 1 offsets that do not fall; none at all stand for an empty column.
  private mutating func offsets(
    _ count: Int, width: Int, _ field: ArrowField
  ) throws(ArrowProblem) -> [Int] {
    let bytes = try batch.nextBuffer()
    if count == 0, bytes.isEmpty { return [0] }
    try need(bytes, count + 1, width, field)
    let offsets = Self.integers(bytes, count + 1, width: width, isSigned: true)
    var last: Int64 = 0
    for offset in offsets {
      guard offset >= last else {
        throw .offset(column: field.field.name, Int(offset), limit: Int(last))
      }
      last = offset
    }
    return offsets.map { Int($0) }
  }

  private mutating func strings(
    _ count: Int, _ width: Int, _ field: ArrowField
  ) throws(ArrowProblem) -> ByteStrings {
    let offsets = try offsets(count, width: width, field)
    let bytes = try batch.nextBuffer()
    let limit = min(bytes.count, Int(UInt32.max))
    guard let last = offsets.last, last <= limit else {
      throw .offset(column: field.field.name, offsets.last ?? 0, limit: limit)
    }
    return ByteStrings(
      storage: bytes, starts: offsets.dropLast().map { UInt32($0) },
      ends: offsets.dropFirst().map { UInt32($0) })
  }

  /// Strings of at most twelve bytes in place, longer ones by buffer and offset.
  private mutating func views(_ count: Int, _ field: ArrowField) throws(ArrowProblem) -> ByteStrings
  {
    let views = try batch.nextBuffer()
    var buffers: [[UInt8]] = []
    for _ in 0..<(try batch.nextViewCount()) { buffers.append(try batch.nextBuffer()) }
    try need(views, count, 16, field)
    let numbers = Self.integers(views, 4 * count, width: 4, isSigned: true).map { Int($0) }
    var (storage, starts, ends) = ([UInt8](), [UInt32](), [UInt32]())
    for i in 0..<count {
      let length = numbers[4 * i]
      starts.append(UInt32(storage.count))
      if (0...12).contains(length) {
        storage += views[16 * i + 4..<16 * i + 4 + length]
      } else {
        let (buffer, start) = (numbers[4 * i + 2], numbers[4 * i + 3])
        guard length >= 0, buffers.indices.contains(buffer), start >= 0,
          start <= buffers[buffer].count, length <= buffers[buffer].count - start,
          storage.count <= Int(UInt32.max) - length
        else { throw .offset(column: field.field.name, start, limit: length) }
        // Many views may show the same bytes.
        try batch.charge(length)
        storage += buffers[buffer][start..<start + length]
      }
      ends.append(UInt32(storage.count))
    }
    return ByteStrings(storage: storage, starts: starts, ends: ends)
  }

  private mutating func nested(
    _ field: ArrowField, _ count: Int, _ isThere: [Bool]?
  ) throws(ArrowProblem) -> Column {
    switch field.layout {
    case .structure(let children):
      var columns: [Column] = []
      for child in children { columns.append(try read(child, expected: count)) }
      return Column(count: count, isThere: isThere, .structure(columns))
    case .fixedList(let size, let child):
      let (total, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow else { throw .length(column: field.field.name, count, expected: 0) }
      let elements = try read(child, expected: total)
      return Column(
        count: count, isThere: isThere, .list(offsets: (0...count).map { $0 * size }, elements))
    case .list(let width, let child):
      let offsets = try offsets(count, width: width, field)
      let elements = try read(child, expected: nil)
      try check(offsets, elements.count, field)
      return Column(count: count, isThere: isThere, .list(offsets: offsets, elements))
    case .map(let child):
      let offsets = try offsets(count, width: 4, field)
      let entries = try read(child, expected: nil)
      try check(offsets, entries.count, field)
      guard case .structure(let parts) = entries.content, parts.count == 2 else {
        throw .children(column: field.field.name, 1)
      }
      return Column(
        count: count, isThere: isThere, .map(offsets: offsets, keys: parts[0], values: parts[1]))
    default: preconditionFailure("a layout with parts")
    }
  }

  private func check(_ offsets: [Int], _ count: Int, _ field: ArrowField) throws(ArrowProblem) {
    guard let last = offsets.last, last <= count else {
      throw .offset(column: field.field.name, offsets.last ?? 0, limit: count)
    }
  }

  /// AR-7: values by their place in a dictionary.
  private mutating func indexed(
    _ field: ArrowField, _ count: Int, _ isThere: [Bool]?, id: Int, width: Int, isSigned: Bool
  ) throws(ArrowProblem) -> Column {
    let indices = try integers(count, width: width, isSigned: isSigned, field)
    guard let dictionary = dictionaries[id] else { throw .dictionary(id) }
    guard case .primitive(let values) = dictionary.content else {
      throw .type(column: field.field.name, "dictionary of \(field.field.type)")
    }
    var (marks, places) = ([Bool](), [UInt32]())
    for (i, index) in indices.enumerated() {
      let isUsed = isThere?[i] ?? true
      if isUsed, index < 0 || index >= values.count {
        throw .dictionaryIndex(Int(index), count: values.count)
      }
      let there = isUsed && !dictionary.isMissing(Int(index))
      marks.append(there)
      if there { places.append(UInt32(truncatingIfNeeded: index)) }
    }
    let found = values.gathering(places)
    return marks.contains(false)
      ? Column(count: count, isThere: marks, .primitive(found.spread(marks)))
      : Column(count: count, .primitive(found))
  }
}
