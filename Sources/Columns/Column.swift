/// Values of a column for a number of rows, or of a part of a column for the lists they are in.
package struct Column: Sendable {
  package indirect enum Content: Sendable {
    /// A value for each place; where the value is missing, a filler.
    case primitive(PrimitiveValues)
    /// List i has the elements `offsets[i]..<offsets[i + 1]`.
    case list(offsets: [Int], Column)
    /// A column for each field, all of this column's count.
    case structure([Column])
    /// Map i has the entries `offsets[i]..<offsets[i + 1]`.
    case map(offsets: [Int], keys: Column, values: Column)
    /// Nothing but missing values.
    case nothing
  }

  package var count: Int
  /// Which values are there; nil when all are.
  package var isThere: [Bool]?
  package var content: Content

  package init(count: Int, isThere: [Bool]? = nil, _ content: Content) {
    precondition(isThere == nil || isThere?.count == count, "one mark a place")
    self.count = count
    self.isThere = isThere
    self.content = content
  }

  package func isMissing(_ index: Int) -> Bool {
    if case .nothing = content { return true }
    return isThere.map { !$0[index] } ?? false
  }
}

/// Rows of some columns.
package struct Batch: Sendable {
  /// Number of the first row in its group.
  package var firstRow: Int
  package var rowCount: Int
  /// In the order in which they were asked for.
  package var columns: [Column]

  package init(firstRow: Int, rowCount: Int, columns: [Column]) {
    self.firstRow = firstRow
    self.rowCount = rowCount
    self.columns = columns
  }
}

/// Batches of rows, one after another.
package protocol BatchReader {
  /// The next rows; nil when there are no more.
  mutating func next() throws -> Batch?
}

/// A file of columns, in groups of rows that can be read each for itself.
package protocol ColumnFile: Sendable {
  var path: String { get }
  /// The columns.
  var fields: [Field] { get }
  /// Rows of each group.
  var groupRowCounts: [Int] { get }

  /// Reads the rows of one group.
  ///
  /// - Parameter columns: Indices into `fields`.
  func batches(of group: Int, columns: [Int]) throws -> any BatchReader
}
