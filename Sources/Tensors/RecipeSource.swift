package import ByteIO

/// Where recipes take their tensors from: a checkpoint, or tensors in memory.
///
/// Reads are positional, so one value serves any number of threads.
package protocol RecipeSource: Sendable {
  /// What is known of the tensor `name`; nil when the source has none of that name.
  func record(_ name: TensorName) -> TensorRecord?

  /// Fills `bytes` with the stored bytes of tensor `name` from `offset` on, as if the tensor lay
  /// row-major and little-endian in one piece.
  ///
  /// Throws when the source has no such tensor, or its bytes cannot be read.
  func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws

  /// The tensor's bytes where they lie in a file, when they lie there as `read` would give them.
  func region(_ name: TensorName) -> ByteRegion?

  /// Fills `values` with the elements `elements` of tensor `name`, row-major, as float32.
  ///
  /// Floating-point and quantised types only. For quantised blocks, `elements` starts and ends at
  /// block borders; rows always do. `values` holds `elements.count` floats.
  func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>) throws
}

/// A source without tensors, for recipes that take none.
package struct EmptySource: RecipeSource {
  package init() {}

  package func record(_ name: TensorName) -> TensorRecord? { nil }

  package func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    throw RecipeError(.missing, tensor: name)
  }

  package func region(_ name: TensorName) -> ByteRegion? { nil }

  package func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    throw RecipeError(.missing, tensor: name)
  }
}
