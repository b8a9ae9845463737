import ByteIO
import Tensors

/// A source in which some tensors' bytes are replaced: a copy with a controlled fault, that costs
/// only the tensors at fault.
struct PatchedSource: RecipeSource {
  let base: any RecipeSource
  /// Whole tensors, as `base` would give their bytes.
  let patches: [TensorName: [UInt8]]

  func record(_ name: TensorName) -> TensorRecord? { base.record(name) }

  func region(_ name: TensorName) -> ByteRegion? {
    patches[name].map { ByteRegion($0, path: name.string) } ?? base.region(name)
  }

  func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    guard let patch = patches[name] else {
      return try base.read(name, at: offset, into: &bytes)
    }
    try ByteRegion(patch, path: name.string).read(at: offset, into: &bytes)
  }

  func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    guard let patch = patches[name], case .element(let type) = base.record(name)?.type else {
      return try base.readFloats(name, elements: elements, into: &values)
    }
    let size = type.bitWidth / 8
    let range = (elements.lowerBound * size)..<(elements.upperBound * size)
    try decode(patch.rawSpan.extracting(range), as: type, into: &values)
  }
}

extension RecipeSource {
  /// All stored bytes of a tensor.
  func bytes(of name: TensorName) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: record(name)?.byteCount ?? 0)
    var span = bytes.mutableRawSpan
    try read(name, at: 0, into: &span)
    return bytes
  }
}
