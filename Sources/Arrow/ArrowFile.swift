package import ByteIO
package import Columns
import Synchronization

/// An open Arrow file or stream (IPC format): its schema, and the rows of each batch on demand.
///
/// Format: `formats/arrow.md`.
package struct ArrowFile: ColumnFile {
  private let region: ByteRegion
  private let columns: [ArrowField]
  private let batches: [ArrowMessages.Batch]
  /// Places in `batches` of those with rows.
  private let groups: [Int]
  private let dictionaryFields: [Int: ArrowField]
  private let kept = KeptDictionaries()

  /// *Limit* of AR-8: what is allowed to every file, in bytes.
  private static let freeWork = 1 << 26

  /// Reads the schema and the heads of all messages, no body.
  package init(_ region: ByteRegion) throws(ArrowError) {
    self.region = region
    let messages = try ArrowMessages(region)
    columns = messages.fields
    batches = messages.batches
    dictionaryFields = Self.dictionaryFields(columns)
    groups = batches.indices.filter { messages.batches[$0].dictionary == nil }
  }

  package var path: String { region.path }
  package var fields: [Field] { columns.map(\.field) }
  package var groupRowCounts: [Int] { groups.map { batches[$0].rowCount } }
  /// Bytes of each batch.
  package var groupByteCounts: [Int] { groups.map { batches[$0].body.count } }

  package func batches(of group: Int, columns: [Int]) throws(ArrowError) -> any BatchReader {
    let place = groups[group]
    return OneBatch(batch: try read(place, group, columns, try dictionaries(before: place)))
  }

  /// The dictionaries as they stand before the batch at `place`: a later one replaces an earlier, or adds
  /// to it. Batches are mostly read in order, so what was read is kept.
  private func dictionaries(before place: Int) throws(ArrowError) -> [Int: Column] {
    if dictionaryFields.isEmpty { return [:] }
    return try kept.state.withLock { (state) throws(ArrowError) in
      if state.end > place { state = (0, [:]) }
      while state.end < place {
        let number = state.end
        if let (id, isDelta) = batches[number].dictionary, let field = dictionaryFields[id] {
          let column = try dictionary(number, field)
          state.columns[id] = isDelta ? state.columns[id]?.appending(column) ?? column : column
        }
        state.end += 1
      }
      return state.columns
    }
  }

  private func dictionary(_ number: Int, _ field: ArrowField) throws(ArrowError) -> Column {
    try fail(number, nil) { () throws(ArrowProblem) in
      guard let data = try content(number).table(1) else { throw .flatBuffer }
      var reader = ArrowColumnReader(
        batch: try ArrowBatch(data, region, batches[number].body, share: share),
        dictionaries: [:])
      let column = try reader.read(field, expected: nil)
      try reader.batch.checkEnd()
      return column
    }
  }

  /// Dictionaries that columns refer to, with the fields of their values.
  private static func dictionaryFields(_ columns: [ArrowField]) -> [Int: ArrowField] {
    var (found, pending) = ([Int: ArrowField](), columns)
    while let field = pending.popLast() {
      switch field.layout {
      case .dictionary(let id, _, _, let values): found[id] = values
      case .list(_, let child), .fixedList(_, let child), .map(let child): pending.append(child)
      case .structure(let children): pending += children
      default: break
      }
    }
    return found
  }

  private var share: Int { Self.freeWork / max(1, batches.count) }

  /// The table in a message's head.
  private func content(_ number: Int) throws(ArrowProblem) -> FlatTable {
    let batch = batches[number]
    let head: [UInt8]
    do { head = try region.bytes(batch.position..<batch.position + batch.headSize) } catch {
      throw .file(error)
    }
    guard let content = try FlatTable(root: head).table(2) else { throw .flatBuffer }
    return content
  }

  private func read(
    _ number: Int, _ group: Int, _ wanted: [Int], _ dictionaries: [Int: Column]
  ) throws(ArrowError) -> Batch {
    try fail(number, group) { () throws(ArrowProblem) in
      let batch = batches[number]
      var reader = ArrowColumnReader(
        batch: try ArrowBatch(try content(number), region, batch.body, share: share),
        dictionaries: dictionaries)
      var read: [Int: Column] = [:]
      for (index, field) in columns.enumerated() {
        if wanted.contains(index) {
          read[index] = try reader.read(field, expected: batch.rowCount)
        } else {
          try reader.skip(field)
        }
      }
      try reader.batch.checkEnd()
      return Batch(
        firstRow: 0, rowCount: batch.rowCount, columns: wanted.compactMap { read[$0] })
    }
  }

  private func fail<Value>(
    _ number: Int, _ group: Int?, _ body: () throws(ArrowProblem) -> Value
  ) throws(ArrowError) -> Value {
    do throws(ArrowProblem) { return try body() } catch {
      throw ArrowError(
        error, path, at: region.start + batches[number].body.lowerBound, batch: group)
    }
  }
}

/// Dictionaries that have been read, up to the message at `end`.
private final class KeptDictionaries: Sendable {
  let state = Mutex<(end: Int, columns: [Int: Column])>((0, [:]))
}

/// A batch that has been read whole.
private struct OneBatch: BatchReader {
  var batch: Batch?

  mutating func next() -> Batch? {
    defer { batch = nil }
    return batch.flatMap { $0.rowCount > 0 ? $0 : nil }
  }
}

extension Column {
  /// The values of both, for columns without parts.
  fileprivate func appending(_ other: Column) -> Column {
    guard case .primitive(var values) = content, case .primitive(let more) = other.content else {
      return other
    }
    values.append(more)
    let marks = { (column: Column) in column.isThere ?? [Bool](repeating: true, count: column.count)
    }
    let isThere = isThere == nil && other.isThere == nil ? nil : marks(self) + marks(other)
    return Column(count: count + other.count, isThere: isThere, .primitive(values))
  }
}
