import ByteIO
import GGUF
import Tensors

extension StoredTensors {
  /// Bytes that are held while they are decoded.
  private static let tile = 1 << 18

  /// Fills `values` with the elements `elements` of tensor `name`, row-major, as float32.
  func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    guard let record = record(name) else {
      throw CheckpointError(.tensorMissing, path: path, tensor: name)
    }
    precondition(values.count == elements.count, "room for as many values as elements")
    precondition(
      elements.lowerBound >= 0 && elements.upperBound <= record.elementCount, "within the tensor")
    // Elements narrower than a byte are decoded eight at a time.
    let unit = record.type.elementUnit
    var buffer: [UInt8] = []
    var done = elements.lowerBound
    while done < elements.upperBound {
      let start = done / unit * unit
      let end = min(elements.upperBound, start + record.type.elements(in: Self.tile))
      let whole = min(record.elementCount, (end + unit - 1) / unit * unit)
      guard let offset = record.type.byteCount(elements: start),
        let count = record.type.byteCount(elements: whole - start)
      else { throw CheckpointError(.notNumeric(record.type), path: path, tensor: name) }
      if buffer.count != count { buffer = [UInt8](repeating: 0, count: count) }
      var bytes = buffer.mutableRawSpan
      try read(name, at: offset, into: &bytes)
      let range = (done - elements.lowerBound)..<(end - elements.lowerBound)
      if start == done && whole == end {
        var target = values._mutatingExtracting(range)
        try decode(buffer.rawSpan, as: record.type, into: &target)
      } else {
        var decoded = [Float](repeating: 0, count: whole - start)
        var target = decoded.mutableSpan
        try decode(buffer.rawSpan, as: record.type, into: &target)
        for i in range { values[i] = decoded[i + elements.lowerBound - start] }
      }
      done = end
    }
  }

  private func decode(
    _ bytes: RawSpan, as type: StorageType, into values: inout MutableSpan<Float>
  ) throws {
    switch type {
    case .element(let type): try Tensors.decode(bytes, as: type, into: &values)
    case .block(let type): try dequantise(bytes, as: type, into: &values)
    }
  }
}

extension StorageType {
  /// Elements that must be decoded together.
  fileprivate var elementUnit: Int {
    switch self {
    case .element(let type): type.bitWidth < 8 ? 8 : 1
    case .block(let type): type.elementCount
    }
  }

  /// A multiple of `elementUnit` that takes about `byteCount` bytes.
  fileprivate func elements(in byteCount: Int) -> Int {
    switch self {
    case .element(let type): byteCount * 8 / type.bitWidth / 8 * 8
    case .block(let type): byteCount / type.byteCount * type.elementCount
    }
  }
}
