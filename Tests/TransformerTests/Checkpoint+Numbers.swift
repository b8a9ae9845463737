import ByteIO
import Checkpoint
import Tensors
import Testing

extension Checkpoint {
  /// All values of a floating-point tensor of a file of expected numbers.
  func floats(named name: String) throws -> [Float] {
    let record = try #require(self.record(TensorName(name)), "tensor \(name)")
    var values = [Float](repeating: 0, count: record.elementCount)
    var span = values.mutableSpan
    try readFloats(record.name, elements: 0..<record.elementCount, into: &span)
    return values
  }

  /// All values of a tensor of 64-bit integers, such as token ids.
  func integers(named name: String) throws -> [Int32] {
    let record = try #require(self.record(TensorName(name)), "tensor \(name)")
    var values = [Int64](repeating: 0, count: record.elementCount)
    try values.withUnsafeMutableBytes { bytes in
      var span = MutableRawSpan(_unsafeBytes: bytes)
      try read(record.name, at: 0, into: &span)
    }
    return values.map { Int32($0) }
  }
}
