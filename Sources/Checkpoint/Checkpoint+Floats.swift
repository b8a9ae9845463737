import ByteIO
package import Tensors

extension Checkpoint {
  package func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    guard let record = record(name) else {
      throw CheckpointError(.tensorMissing, path: path, tensor: name)
    }
    guard case .element(let type) = record.type, type.bitWidth >= 8 else {
      throw CheckpointError(.notNumeric(record.type), path: path, tensor: name)
    }
    let size = type.bitWidth / 8
    var buffer = [UInt8](repeating: 0, count: elements.count * size)
    var bytes = buffer.mutableRawSpan
    try read(name, at: elements.lowerBound * size, into: &bytes)
    var reader = ByteReader(buffer.rawSpan)
    for i in 0..<elements.count {
      switch type {
      case .f32: values[i] = Float(bitPattern: try reader.read(UInt32.self))
      case .bf16: values[i] = Float(bitPattern: UInt32(try reader.read(UInt16.self)) << 16)
      case .f16: values[i] = Float(Float16(bitPattern: try reader.read(UInt16.self)))
      default: throw CheckpointError(.notNumeric(record.type), path: path, tensor: name)
      }
    }
  }
}
