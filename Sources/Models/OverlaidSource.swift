package import ByteIO
package import Checkpoint
package import Tensors

/// A source with one tensor of another beside its own.
package struct OverlaidSource: RecipeSource {
  /// What recipes call the other source's tensor; no file has a tensor of this name.
  package static let name: TensorName = "\u{0}adapter"

  package let base: Checkpoint
  package let other: Checkpoint
  package let tensor: TensorRecord

  package init(base: Checkpoint, other: Checkpoint, tensor: TensorRecord) {
    self.base = base
    self.other = other
    self.tensor = tensor
  }

  package func record(_ name: TensorName) -> TensorRecord? {
    name == Self.name ? tensor : base.record(name)
  }

  package func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    if name == Self.name {
      try other.read(tensor.name, at: offset, into: &bytes)
    } else {
      try base.read(name, at: offset, into: &bytes)
    }
  }

  package func region(_ name: TensorName) -> ByteRegion? {
    name == Self.name ? other.region(tensor.name) : base.region(name)
  }

  package func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    if name == Self.name {
      try other.readFloats(tensor.name, elements: elements, into: &values)
    } else {
      try base.readFloats(name, elements: elements, into: &values)
    }
  }
}
