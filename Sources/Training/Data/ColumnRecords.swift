import Columns
import JSON

/// The rows of a file of columns as records.
struct ColumnRecords: RecordSource {
  private let file: any ColumnFile
  private let columns: [Int]
  private var group: Int
  /// The row group after the last that is read.
  private let end: Int
  private var reader: (any BatchReader)?
  private var batch: Batch?
  private var row = 0

  /// - Parameter fields: Columns that are read; when none of them is there, the error must name those
  ///   that are, so all are.
  /// - Parameter group: The row group that is read; nil reads all.
  init(_ file: any ColumnFile, fields: [String]?, group: Int? = nil) {
    self.file = file
    self.group = group ?? 0
    end = group.map { $0 + 1 } ?? file.groupRowCounts.count
    let all = Array(file.fields.indices)
    let wanted = all.filter { index in
      fields?.contains { $0.utf8.elementsEqual(file.fields[index].name.utf8) } ?? true
    }
    columns = wanted.isEmpty ? all : wanted
  }

  mutating func next() throws -> Record? {
    while true {
      if let batch, row < batch.rowCount {
        defer { row += 1 }
        let members = zip(columns, batch.columns).map { index, column in
          let field = file.fields[index]
          return JSONObject.Member(
            key: field.name, value: Self.trimmed(column.json(row, field.type)))
        }
        return Record(JSONObject(members), .row(batch.firstRow + row, group: group))
      }
      row = 0
      if reader == nil {
        guard group < end else { return nil }
        reader = try file.batches(of: group, columns: columns)
      }
      batch = try reader?.next()
      if batch == nil {
        reader = nil
        group += 1
      }
    }
  }

  /// Without members that are null: a column has every member of every object, a JSON text only those
  /// that are there. A schema limits the depth.
  private static func trimmed(_ value: JSONValue) -> JSONValue {
    switch value {
    case .object(let object):
      .object(
        JSONObject(
          object.members.filter { !$0.value.isNull }.map {
            .init(key: $0.key, value: trimmed($0.value))
          }))
    case .array(let elements): .array(elements.map(trimmed))
    default: value
    }
  }
}
