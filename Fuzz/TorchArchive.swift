import ByteIO
import Tensors
import TestSupport
import TorchArchive

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  if let file = try? TorchFile(ByteRegion(bytes)) { readTensors(of: file) }
  return 0
}
