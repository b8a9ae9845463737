package import Columns

/// The rows of one group, some columns of them, page by page.
package struct RowGroupReader: BatchReader {
  private let file: ParquetFile
  private let group: Int
  private let nodes: [SchemaNode]
  private var readers: [Int: LeafReader] = [:]
  private var rows = 0

  /// *Limit* of PQ-21: what is allowed to every file, in bytes, and for each byte of the chunks.
  static let freeWork = 1 << 26
  static let workRatio = 256

  init(_ file: ParquetFile, group: Int, columns: [Int]) throws(ParquetError) {
    self.file = file
    self.group = group
    nodes = columns.map { file.nodes[$0] }
    let share = Self.freeWork / max(1, file.rowGroups.count)
    for leaf in nodes.flatMap(\.leaves) where readers[leaf] == nil {
      let size = file.rowGroups[group].chunks[leaf].compressedSize
      let (work, overflow) = size.multipliedReportingOverflow(by: Self.workRatio)
      let pages = try PageReader(
        file, group: group, leaf: leaf, allowance: (overflow ? .max / 2 : work) + share)
      readers[leaf] = LeafReader(file.leaves[leaf], pages)
    }
  }

  package mutating func next() throws(ParquetError) -> Batch? {
    var most = Int.max
    for leaf in readers.keys { most = min(most, try readers[leaf]?.fill() ?? 0) }
    let stated = file.rowGroups[group].rowCount
    if nodes.isEmpty { most = stated - rows }
    guard most > 0 else {
      guard rows == stated else { throw fail(.rowCount(rows, stated: stated)) }
      return nil
    }
    guard most <= stated - rows else { throw fail(.rowCount(rows + most, stated: stated)) }
    var parts: [Int: LeafReader.Part] = [:]
    for leaf in Array(readers.keys) { parts[leaf] = readers[leaf]?.take(most) }
    let assembler = RecordAssembler(parts: parts, leaves: file.leaves)
    var batch = Batch(firstRow: rows, rowCount: most, columns: [])
    for node in nodes {
      do throws(ParquetProblem) {
        batch.columns.append(try assembler.column(node, rows: most))
      } catch {
        throw fail(error, column: node.field.name)
      }
    }
    rows += most
    return batch
  }

  private func fail(_ problem: ParquetProblem, column: String? = nil) -> ParquetError {
    ParquetError(problem, file.path, at: nil, .init(rowGroup: group, column: column))
  }
}
