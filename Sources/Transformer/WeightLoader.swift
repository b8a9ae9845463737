import Kernels
import ModelGraph
import Tensors

/// Reads fields through their recipes.
struct WeightLoader {
  private let reader: RecipeReader

  init(_ source: any RecipeSource) { reader = RecipeReader(source) }

  /// The field's weights in their stored type, when products can read it, else as float32; vectors
  /// are always float32.
  func load(_ field: Field) throws -> Weight {
    let form = form(of: field)
    let buffer = try Buffer(byteCount: field.count * form.byteCount)
    if form == .f32 {
      try loadFloats(field, into: buffer, at: 0)
    } else {
      try buffer.withMutableBytes { bytes in
        var start = 0
        for part in field.parts {
          let count = part.elementCount * form.byteCount
          var target = bytes._mutatingExtracting(start..<(start + count))
          try reader.read(
            part.recipe, shape: part.shape, type: part.type, rows: 0..<part.shape[0], into: &target)
          start += count
        }
      }
    }
    let weight = Weight(buffer, rows: field.rows, columns: field.columns, form: form)
    if form != .f32 { try check(weight, field) }
    return weight
  }

  /// Refuses weights that are NaN or infinite, by the name of the parameter.
  private func check(_ weight: Weight, _ field: Field) throws(TransformerError) {
    var start = 0
    for part in field.parts {
      let range = start..<(start + part.rowCount)
      guard (part.isVector ? weight.columns(range) : weight.rows(range)).isFinite else {
        throw TransformerError(.nonFiniteWeight(part.name))
      }
      start = range.upperBound
    }
  }

  /// The field as float32 into `buffer` from `offset` on, in floats.
  ///
  /// - Parameter isChecked: Whether the weights are known to be finite.
  func loadFloats(
    _ field: Field, into buffer: Buffer, at offset: Int, isChecked: Bool = false
  ) throws {
    var start = offset
    for part in field.parts {
      let range = start..<(start + part.elementCount)
      try buffer.withMutableFloats(range) { values in
        try reader.readFloats(
          part.recipe, shape: part.shape, rows: 0..<part.shape[0], into: &values)
      }
      start = range.upperBound
    }
    if isChecked { return }
    let weight = Weight(
      buffer, offset: offset, rows: field.rows, columns: field.columns, form: .f32)
    try check(weight, field)
  }

  private func form(of field: Field) -> Weight.Form {
    let type = field.parts[0].type
    guard field.rows > 1, field.parts.allSatisfy({ $0.type == type }) else { return .f32 }
    return switch type {
    case .bf16: .bf16
    case .f16: .f16
    default: .f32
    }
  }
}
