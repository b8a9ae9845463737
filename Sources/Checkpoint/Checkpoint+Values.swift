public import ByteIO
public import Tensors

extension Checkpoint {
  /// All values of tensor `name`, row-major, as float32: decoded where they are quantised.
  ///
  /// - Throws: A `DiagnosedError`; also for a tensor that the checkpoint has not, and for complex
  ///   numbers.
  public func floats(of name: TensorName) throws -> [Float] {
    guard let record = record(name) else {
      throw CheckpointError(.tensorMissing, path: path, tensor: name)
    }
    var values = [Float](repeating: 0, count: record.elementCount)
    var span = values.mutableSpan
    try readFloats(name, elements: 0..<record.elementCount, into: &span)
    return values
  }
}
