/// How an output tensor comes about from the bytes of a source: what the writer materialises, a
/// tile at a time, and what the provenance records.
///
/// A recipe knows nothing of models. Every form is copy-like by rows, so that any range of output
/// rows can be computed alone.
package struct Recipe: Equatable, Sendable {
  package enum Content: Equatable, Sendable {
    /// The parts' rows one after another (axis 0); most recipes have one part.
    case rows([RowSource])
    /// Values that come from no source.
    case initialised(Initialiser)
  }

  package var content: Content
  /// Element type of the result; nil keeps the stored type, and decodes quantised blocks to F32.
  package var type: ElementType?
  /// Added to every value of source rows, in float32 and before a cast: what stores 1 + w, wanted as
  /// w, has -1 here.
  package var offset: Float = 0

  package init(_ content: Content, as type: ElementType? = nil, offset: Float = 0) {
    self.content = content
    self.type = type
    self.offset = offset
  }

  /// The whole of one source tensor.
  package static func copy(_ tensor: TensorName, rows: Int) -> Recipe {
    Recipe(.rows([RowSource(tensor: tensor, rows: 0..<rows)]))
  }
}

/// Rows of one source tensor, in the order in which they are taken.
///
/// A row has as many elements as one of the result. A source of more dimensions than that is taken as
/// the rows of its last ones: `[E, m, h]` is E · m rows of h.
package struct RowSource: Equatable, Sendable {
  package var tensor: TensorName
  /// Rows of the source, after `order` was applied.
  package var rows: Range<Int>
  package var order: RowOrder

  package init(tensor: TensorName, rows: Range<Int>, order: RowOrder = .stored) {
    self.tensor = tensor
    self.rows = rows
    self.order = order
  }
}

extension [RowSource] {
  /// The parts that make up the rows `wanted` of the result, in order.
  package func taking(_ wanted: Range<Int>) -> [RowSource] {
    var parts: [RowSource] = []
    var start = 0
    for source in self {
      let common = wanted.clamped(to: start..<(start + source.rows.count))
      let first = source.rows.lowerBound - start
      start += source.rows.count
      if common.isEmpty { continue }
      var part = source
      part.rows = common.lowerBound + first..<common.upperBound + first
      parts.append(part)
    }
    return parts
  }
}

/// The order in which a source's rows are read.
package enum RowOrder: Equatable, Sendable {
  case stored
  /// Rows of each head are stored as for interleaved RoPE (pairs 2i, 2i+1) and are wanted as for
  /// split-half RoPE (pairs i, i + headSize/2): GGUF's Llama files, undone.
  case splitHalves(headSize: Int)
  /// The inverse: stored split-half, wanted interleaved.
  case interleaved(headSize: Int)

  /// The stored row that is wanted at `row`.
  package func storedRow(_ row: Int) -> Int {
    switch self {
    case .stored: return row
    case .splitHalves(let size):
      let (head, i) = row.quotientAndRemainder(dividingBy: size)
      return head * size + (i < size / 2 ? 2 * i : 2 * (i - size / 2) + 1)
    case .interleaved(let size):
      let (head, i) = row.quotientAndRemainder(dividingBy: size)
      return head * size + (i % 2 == 0 ? i / 2 : size / 2 + i / 2)
    }
  }
}

/// Start values of a new tensor, the same on every platform.
package enum Initialiser: Equatable, Sendable {
  case zeros
  case ones
  /// `[h, 2h]`: columns of the state get `state` times the identity, those of the prelude output
  /// `prelude` times.
  case identities(state: Float, prelude: Float)
  /// Uniform in [-bound, bound).
  case uniform(bound: Float, seed: UInt64)
  /// Normal with mean 0, truncated at ±3 standard deviations.
  case normal(standardDeviation: Float, seed: UInt64)
}
