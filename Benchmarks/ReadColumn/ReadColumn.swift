import ByteIO
import Columns
import Parquet
import Platform

/// Reads one column of strings of a Parquet file and prints megabytes a second as JSON: what
/// `peers/read_column.py` does with pyarrow.
@main
struct ReadColumn {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 3 else { return print("usage: ReadColumn FILE COLUMN") }
    let start = monotonicSeconds()
    let file = try ParquetFile(ByteRegion(path: arguments[1]))
    let columns = file.fields.indices.filter { file.fields[$0].name == arguments[2] }
    var (count, bytes) = (0, 0)
    for group in file.groupRowCounts.indices {
      var reader = try file.batches(of: group, columns: columns)
      while let batch = try reader.next() {
        guard case .primitive(.bytes(let strings)) = batch.columns[0].content else { continue }
        count += batch.rowCount
        bytes += strings.byteCount
      }
    }
    let speed = Double(bytes) / 1e6 / (monotonicSeconds() - start)
    print("{\"strings\": \(count), \"megabytes_per_second\": \(speed)}")
  }
}
