import Tensors

// Rows of parameters, as recipes. Nil where a parameter's values come from no source.

extension Parameter {
  /// The rows `wanted` of this one, under its name.
  package func rows(_ wanted: Range<Int>) -> Parameter? {
    guard case .rows(let sources) = recipe.content else { return nil }
    var part = self
    part.shape[0] = wanted.count
    part.recipe.content = .rows(sources.taking(wanted))
    return part
  }

  /// All rows of `parts`, one after another, under the first one's name. One tensor has one type: parts
  /// of several are widened to float32.
  package static func joined(_ parts: [Parameter]) -> Parameter? {
    guard var whole = parts.first else { return nil }
    var rows: [RowSource] = []
    for part in parts {
      guard case .rows(let sources) = part.recipe.content,
        part.recipe.offset == whole.recipe.offset
      else { return nil }
      rows += sources
    }
    whole.shape[0] = parts.reduce(0) { $0 + $1.shape[0] }
    if parts.contains(where: { $0.type != whole.type || $0.recipe.type != whole.recipe.type }) {
      whole.type = .f32
      whole.recipe.type = .f32
    }
    whole.recipe.content = .rows(rows)
    return whole
  }

  /// This one, `[E, R, C]` as it is stored, as `count` matrices of an expert, `[R / count, C]` each: all
  /// of the first expert, all of the second, and so on.
  package func separated(into count: Int) -> [Parameter]? {
    guard shape.count == 3, case .rows(let sources) = recipe.content, let source = sources.first,
      sources.count == 1, source.order == .stored, source.rows == 0..<shape[0],
      count > 0, shape[1] % count == 0
    else { return nil }
    let height = shape[1] / count
    return (0..<shape[0] * count).map { place in
      var matrix = self
      matrix.shape = [height, shape[2]]
      matrix.recipe.content = .rows([
        RowSource(tensor: source.tensor, rows: place * height..<(place + 1) * height)
      ])
      return matrix
    }
  }
}
