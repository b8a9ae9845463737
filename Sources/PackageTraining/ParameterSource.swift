package import ByteIO
import ModelGraph
package import Tensors

/// Trained parameters in memory, as a source of recipes.
package struct ParameterSource: RecipeSource {
  /// Where a tensor lies in the flat buffer.
  package struct Place {
    package var shape: [Int]
    /// In floats.
    package var offset: Int
  }

  package let buffer: Buffer
  package let places: [TensorName: Place]

  package func record(_ name: TensorName) -> TensorRecord? {
    places[name].map { place in
      TensorRecord(
        name: name, type: .element(.f32), shape: place.shape,
        byteCount: 4 * place.shape.reduce(1, &*), file: "memory", offset: nil)
    }
  }

  package func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    guard let place = places[name] else { throw RecipeError(.missing, tensor: name) }
    buffer.read(at: 4 * place.offset + offset, into: &bytes)
  }

  package func region(_ name: TensorName) -> ByteRegion? { nil }

  package func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    guard let place = places[name] else { throw RecipeError(.missing, tensor: name) }
    let start = place.offset + elements.lowerBound
    buffer.withFloats(start..<start + elements.count) { floats in
      for i in 0..<elements.count { values[i] = floats[i] }
    }
  }
}
