import ByteIO
package import ModelGraph
package import Tensors

/// How one tensor's values differ from another's of the same shape, in one pass over both.
package struct TensorComparison: Equatable, Sendable {
  /// Elements whose values differ; NaN equals NaN, and zeros of either sign are equal.
  package var differingCount = 0
  /// Row-major index of the first of them.
  package var firstDifference: Int?
  /// Largest absolute difference of the finite values.
  package var maximumAbsolute = 0.0
  /// Norm of the difference over norm of the second tensor.
  package var relativeNorm = 0.0
  /// Cosine of the angle between the two; 1 when both are zero.
  package var cosine = 1.0
  /// Elements of which one is NaN or infinite and the other is not the same.
  package var nonFiniteCount = 0

  /// Compares the results of two recipes of one shape, as float32, a tile of rows at a time.
  package init(
    _ a: Parameter, from readerA: RecipeReader, _ b: Parameter, from readerB: RecipeReader
  ) throws {
    precondition(a.shape == b.shape, "only tensors of one shape are compared")
    let rows = a.shape.first ?? 1
    let length = a.shape.dropFirst().reduce(1, &*)
    let step = max(1, min(rows, (1 << 18) / max(1, length)))
    var sums = Sums()
    var first = 0
    while first < rows, length > 0 {
      let range = first..<min(rows, first + step)
      let count = range.count * length
      var valuesA = [Float](repeating: 0, count: count)
      var valuesB = [Float](repeating: 0, count: count)
      var spanA = valuesA.mutableSpan
      try readerA.readFloats(a.recipe, shape: a.shape, rows: range, into: &spanA)
      var spanB = valuesB.mutableSpan
      try readerB.readFloats(b.recipe, shape: b.shape, rows: range, into: &spanB)
      add(valuesA.span, valuesB.span, base: first * length, to: &sums)
      first += step
    }
    if sums.difference > 0 {
      relativeNorm = sums.b > 0 ? (sums.difference / sums.b).squareRoot() : .infinity
    }
    if sums.a > 0 || sums.b > 0 {
      let norms = (sums.a * sums.b).squareRoot()
      cosine = norms > 0 ? sums.product / norms : 0
    }
  }

  /// Whether two recipes of one shape and type give the same bytes.
  package static func haveEqualBytes(
    _ a: Parameter, from readerA: RecipeReader, _ b: Parameter, from readerB: RecipeReader
  ) throws -> Bool {
    guard a.shape == b.shape, a.type == b.type else { return false }
    let rows = a.shape.first ?? 1
    let bits = a.shape.dropFirst().reduce(1, &*) * a.type.bitWidth
    // Whole bytes at every tile border, whatever the width of an element.
    let step = bits % 8 == 0 ? max(1, (1 << 20) / max(1, bits / 8)) : rows
    for first in stride(from: 0, to: bits == 0 ? 0 : rows, by: step) {
      let range = first..<min(rows, first + step)
      var (bytesA, bytesB) = (
        [UInt8](repeating: 0, count: range.count * bits / 8),
        [UInt8](repeating: 0, count: range.count * bits / 8)
      )
      var spanA = bytesA.mutableRawSpan
      try readerA.read(a.recipe, shape: a.shape, type: a.type, rows: range, into: &spanA)
      var spanB = bytesB.mutableRawSpan
      try readerB.read(b.recipe, shape: b.shape, type: b.type, rows: range, into: &spanB)
      if bytesA != bytesB { return false }
    }
    return true
  }

  private struct Sums {
    var difference = 0.0
    var a = 0.0
    var b = 0.0
    var product = 0.0
  }

  private mutating func add(
    _ a: Span<Float>, _ b: Span<Float>, base: Int, to sums: inout Sums
  ) {
    for i in a.indices {
      let (x, y) = (a[i], b[i])
      if x != y, !(x.isNaN && y.isNaN) {
        differingCount += 1
        firstDifference = firstDifference ?? base + i
        if !x.isFinite || !y.isFinite { nonFiniteCount += 1 }
      }
      guard x.isFinite, y.isFinite else { continue }
      let (p, q) = (Double(x), Double(y))
      let difference = p - q
      maximumAbsolute = max(maximumAbsolute, abs(difference))
      sums.difference += difference * difference
      sums.a += p * p
      sums.b += q * q
      sums.product += p * q
    }
  }
}
