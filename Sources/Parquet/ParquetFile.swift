package import ByteIO
public import Columns

/// An open Parquet file: the footer's content, and the rows on demand.
///
/// Format: `formats/parquet.md`.
public struct ParquetFile: ColumnFile {
  let region: ByteRegion
  package let fields: [Field]
  /// Rows of all groups together.
  public let rowCount: Int
  package let rowGroups: [RowGroup]
  /// The program that wrote the file, in its own words.
  package let createdBy: String?
  let nodes: [SchemaNode]
  let leaves: [Leaf]
  /// End of what pages may take: where the footer starts.
  let dataEnd: Int

  /// *Limit* of PQ-2, in bytes.
  static let footerLimit = 1 << 26

  package var path: String { region.path }
  package var groupRowCounts: [Int] { rowGroups.map(\.rowCount) }

  /// Reads and validates the footer; reads no page.
  package init(_ region: ByteRegion) throws(ParquetError) {
    self.region = region
    let footer = try Self.footer(of: region)
    var reader = ThriftReader(
      try region.parquetBytes(footer), path: region.path, base: region.start + footer.lowerBound)
    let metadata = try FileMetadata(&reader)
    dataEnd = footer.lowerBound
    rowCount = metadata.rowCount
    rowGroups = metadata.rowGroups
    createdBy = metadata.createdBy
    do throws(ParquetProblem) {
      let tree = try SchemaTree(metadata.schema)
      leaves = tree.leaves
      nodes = tree.columns.map { SchemaNode($0, tree.leaves) }
      fields = nodes.map(\.field)
    } catch {
      throw ParquetError(error, region.path, at: region.start + dataEnd)
    }
    try checkRowGroups()
  }

  package func batches(
    of group: Int, columns: [Int]
  ) throws(ParquetError) -> any BatchReader {
    try RowGroupReader(self, group: group, columns: columns)
  }

  /// PQ-1 and PQ-2: where the footer lies.
  private static func footer(of region: ByteRegion) throws(ParquetError) -> Range<Int> {
    let (path, size) = (region.path, region.byteCount)
    let magic = Array("PAR1".utf8)
    let (head, tail) = (
      try region.parquetBytes(0..<min(4, size)), try region.parquetBytes(max(0, size - 8)..<size)
    )
    if head == Array("PARE".utf8) { throw ParquetError(.encrypted, path, at: 0) }
    guard head == magic else { throw ParquetError(.notParquet, path, at: 0) }
    guard size >= 12, tail.suffix(4) == magic[...] else {
      throw ParquetError(.truncatedFile, path, at: max(0, size - 4))
    }
    let length = tail.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= size - 12 else {
      throw ParquetError(.footerPastEnd(byteCount: length, limit: size - 12), path, at: size - 8)
    }
    guard length <= footerLimit else {
      throw ParquetError(.footerTooLong(byteCount: length, limit: footerLimit), path, at: size - 8)
    }
    return (size - 8 - length)..<(size - 8)
  }

  /// PQ-7 and PQ-8: each group has a chunk for each leaf, the rows add up, no two chunks share bytes.
  private func checkRowGroups() throws(ParquetError) {
    var total = 0
    var ranges: [Range<Int>] = []
    for (number, group) in rowGroups.enumerated() {
      let place = ParquetError.Place(rowGroup: number)
      guard group.chunks.count == leaves.count else {
        throw ParquetError(
          .chunkCount(group.chunks.count, columns: leaves.count), path, at: dataEnd, place)
      }
      let (sum, overflow) = total.addingReportingOverflow(group.rowCount)
      total = overflow ? .max : sum
      for chunk in group.chunks {
        if let range = try? chunk.range(limit: dataEnd), !range.isEmpty { ranges.append(range) }
      }
    }
    guard total == rowCount else {
      throw ParquetError(.rowTotal(total, stated: rowCount), path, at: dataEnd)
    }
    ranges.sort { $0.lowerBound < $1.lowerBound }
    for (range, next) in zip(ranges, ranges.dropFirst()) where next.lowerBound < range.upperBound {
      throw ParquetError(.overlap(with: range.lowerBound), path, at: next.lowerBound)
    }
  }
}

extension ByteRegion {
  /// The bytes of `range`, a failure as this module's error.
  func parquetBytes(_ range: Range<Int>) throws(ParquetError) -> [UInt8] {
    do { return try bytes(range) } catch {
      throw ParquetError(.file(error), path, at: error.position)
    }
  }
}
