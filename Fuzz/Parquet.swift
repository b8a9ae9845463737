import ByteIO
import Columns
import Parquet

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  if let file = try? ParquetFile(ByteRegion(bytes)) { readRows(of: file) }
  return 0
}

/// Reads every column of every group: each alone, as one damaged column must not hide the others.
private func readRows(of file: ParquetFile) {
  for group in file.groupRowCounts.indices {
    for column in file.fields.indices {
      guard var reader = try? file.batches(of: group, columns: [column]) else { continue }
      var rows = 0
      do {
        while let batch = try reader.next() {
          rows += batch.rowCount
          let values = batch.columns[0]
          precondition(values.count == batch.rowCount, "a value for each row")
          for row in [0, batch.rowCount - 1] { _ = values.json(row, file.fields[column].type) }
        }
      } catch { continue }
      precondition(rows == file.groupRowCounts[group], "as many rows as stated")
    }
  }
}
