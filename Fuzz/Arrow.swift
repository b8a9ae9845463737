import Arrow
import ByteIO
import Columns

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard let file = try? ArrowFile(ByteRegion(bytes)) else { return 0 }
  for group in file.groupRowCounts.indices {
    for column in file.fields.indices {
      guard var reader = try? file.batches(of: group, columns: [column]),
        let batch = try? reader.next()
      else { continue }
      precondition(batch.rowCount == file.groupRowCounts[group], "as many rows as stated")
      precondition(batch.columns[0].count == batch.rowCount, "a value for each row")
      for row in [0, batch.rowCount - 1] {
        _ = batch.columns[0].json(row, file.fields[column].type)
      }
    }
  }
  return 0
}
