import ByteIO
import Columns
public import JSON

extension ParquetFile {
  /// Opens the file at `path`: reads and checks its footer, and no page.
  ///
  /// - Throws: A `DiagnosedError`.
  public init(path: String) throws { try self.init(ByteRegion(path: path)) }

  /// The columns' names, and their types in words such as `list<struct<role: string>>`.
  public var columns: [(name: String, type: String)] {
    fields.map { ($0.name, $0.type.description) }
  }

  /// Hands `body` the rows in their order, each as an object; pages are read in batches.
  ///
  /// - Parameter names: The columns that are read, in this order; nil for all.
  /// - Throws: A `DiagnosedError`, also for a name that is no column; and what `body` throws.
  public func forEachRow(
    of names: [String]? = nil, _ body: (JSONObject) throws -> Void
  ) throws {
    let indices = try names.map { try $0.map(column) } ?? Array(fields.indices)
    let wanted = indices.map { fields[$0] }
    for group in rowGroups.indices {
      var reader = try batches(of: group, columns: indices)
      while let batch = try reader.next() {
        let columns = Array(zip(wanted, batch.columns))
        for row in 0..<batch.rowCount {
          try body(
            JSONObject(columns.map { .init(key: $0.name, value: $1.json(row, $0.type)) }))
        }
      }
    }
  }

  private func column(_ name: String) throws -> Int {
    guard let index = fields.firstIndex(where: { ExactString($0.name) == ExactString(name) }) else {
      let names = fields.map(\.name).joined(separator: ", ")
      throw UsageError("\(path) has no column \(name)", hint: "its columns are \(names)")
    }
    return index
  }
}
