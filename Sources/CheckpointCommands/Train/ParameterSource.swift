import ByteIO
import ModelGraph
import Tensors

/// Trained parameters in memory, as a source of recipes.
struct ParameterSource: RecipeSource {
  /// Where a tensor lies in the flat buffer.
  struct Place {
    var shape: [Int]
    /// In floats.
    var offset: Int
  }

  let buffer: Buffer
  let places: [TensorName: Place]

  func record(_ name: TensorName) -> TensorRecord? {
    places[name].map { place in
      TensorRecord(
        name: name, type: .element(.f32), shape: place.shape,
        byteCount: 4 * place.shape.reduce(1, &*), file: "memory", offset: nil)
    }
  }

  func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    guard let place = places[name] else { throw RecipeError(.missing, tensor: name) }
    buffer.read(at: 4 * place.offset + offset, into: &bytes)
  }

  func region(_ name: TensorName) -> ByteRegion? { nil }

  func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    guard let place = places[name] else { throw RecipeError(.missing, tensor: name) }
    let start = place.offset + elements.lowerBound
    buffer.withFloats(start..<start + elements.count) { floats in
      for i in 0..<elements.count { values[i] = floats[i] }
    }
  }
}
