import ByteIO
import Columns
import Foundation
import JSON
import TestSupport

@testable import Parquet

func fixture(_ name: String) throws -> ParquetFile {
  try ParquetFile(ByteRegion(path: Fixtures.path("parquet/\(name).parquet")))
}

func fixtureBytes(_ name: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(filePath: Fixtures.path("parquet/\(name)"))))
}

extension ParquetFile {
  /// The rows of all groups as JSON objects of some columns, of all when none are named.
  func rows(_ names: [String] = []) throws -> [JSONValue] {
    let columns = fields.indices.filter { names.isEmpty || names.contains(fields[$0].name) }
    var rows: [JSONValue] = []
    for group in rowGroups.indices {
      var reader = try batches(of: group, columns: columns)
      while let batch = try reader.next() {
        for row in 0..<batch.rowCount {
          rows.append(
            .object(
              JSONObject(
                zip(columns, batch.columns).map { index, column in
                  .init(key: fields[index].name, value: column.json(row, fields[index].type))
                })))
        }
      }
    }
    return rows
  }
}

/// The lines of a fixture, each a JSON object.
func expectedRows(_ name: String) throws -> [JSONValue] {
  try fixtureBytes(name + ".jsonl").split(separator: 0x0A).map { try JSONValue(parsing: Array($0)) }
}
