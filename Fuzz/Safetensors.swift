import ByteIO
import Safetensors
import Tensors
import TestSupport

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  if let index = try? ShardIndex(ByteRegion(bytes)) {
    precondition(!index.shards.isEmpty, "SI-2: an index names shards")
  }
  guard let file = try? SafetensorsFile(ByteRegion(bytes)) else { return 0 }
  readTensors(of: file)
  var end = file.tensors.first?.offset ?? bytes.count
  for tensor in file.tensors {
    precondition(tensor.offset == end, "ST-12: no hole, no overlap")
    end += tensor.byteCount
  }
  precondition(end == bytes.count, "ST-13: the data end with the file")
  return 0
}
