import Kernels
import ModelGraph
import Tensors

/// How a model that is run holds its large matrices in memory.
package enum WeightStorage: String, CaseIterable, Sendable {
  /// In the type they are stored in, where products can read it, else as float32.
  case stored
  /// Rounded to ggml's Q8_0, eight bits and a share of a scale: decoding is bound by reading them.
  case q80 = "q8_0"
}

/// Reads fields through their recipes.
struct WeightLoader {
  private let reader: RecipeReader
  private let storage: WeightStorage

  init(_ source: any RecipeSource, as storage: WeightStorage = .stored) {
    reader = RecipeReader(source)
    self.storage = storage
  }

  /// The field's weights in their stored type, when products can read it, else as float32; vectors
  /// are always float32.
  func load(_ field: Field) throws -> Weight {
    if storage == .q80, field.isLargeMatrix, let weight = try quantised(field) { return weight }
    let form = form(of: field)
    let buffer = try Buffer(byteCount: form.byteCount(field.count))
    if form == .f32 {
      try loadFloats(field, into: buffer, at: 0)
    } else {
      try buffer.withMutableBytes { bytes in
        var start = 0
        for part in field.parts {
          let count = form.byteCount(part.elementCount)
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

  /// Nil where the field's shape or values do not fit.
  private func quantised(_ field: Field) throws -> Weight? {
    let whole = try Matrix(rows: field.rows, columns: field.columns)
    try loadFloats(field, into: whole.buffer, at: 0)
    return try Weight(quantising: whole)
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

extension Field {
  /// Whether it is one of those that make up the most of a model. Routers and the injection are small,
  /// and what follows depends on them much.
  fileprivate var isLargeMatrix: Bool {
    guard rows > 1 else { return false }
    switch role {
    case .embedding, .head: return true
    case .block(_, .router): return false
    case .block: return true
    default: return false
    }
  }
}
