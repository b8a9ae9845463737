package import Tensors

/// What a tensor's values look like: one pass over its bytes, a tile at a time.
package struct TensorStatistics: Equatable, Sendable {
  package var count = 0
  package var notANumberCount = 0
  package var infinityCount = 0
  package var zeroCount = 0
  /// Over the finite values; nil when there are none.
  package var minimum: Float?
  package var maximum: Float?
  package var mean: Double?
  /// Population standard deviation.
  package var standardDeviation: Double?
  /// The first values, in row-major order.
  package var firstValues: [Float] = []

  /// Whether every value is finite.
  package var isFinite: Bool { notANumberCount == 0 && infinityCount == 0 }

  /// Reads the values of tensor `name` from `source`.
  ///
  /// - Parameter firstCount: How many values to keep for display.
  package init(of record: TensorRecord, in source: any RecipeSource, firstCount: Int = 8) throws {
    // A multiple of every quantised block, small enough to stay in the cache.
    let tile = 1 << 16
    var buffer = [Float](repeating: 0, count: min(tile, record.elementCount))
    var moments = RunningMoments()
    while count < record.elementCount {
      let length = min(tile, record.elementCount - count)
      if buffer.count != length { buffer.removeLast(buffer.count - length) }
      var values = buffer.mutableSpan
      try source.readFloats(record.name, elements: count..<(count + length), into: &values)
      if count == 0 { firstValues = Array(buffer.prefix(firstCount)) }
      add(buffer, to: &moments)
      count += length
    }
    if moments.count > 0 {
      mean = moments.mean
      standardDeviation = (moments.squares / moments.count).squareRoot()
    }
  }

  private mutating func add(_ values: [Float], to moments: inout RunningMoments) {
    // The tile's own moments first, around its first finite value, then joined to the rest.
    var tile = RunningMoments()
    var sum = 0.0
    var squares = 0.0
    let shift = values.first(where: \.isFinite).map(Double.init) ?? 0
    for value in values {
      guard value.isFinite else {
        if value.isNaN { notANumberCount += 1 } else { infinityCount += 1 }
        continue
      }
      if value == 0 { zeroCount += 1 }
      minimum = min(minimum ?? value, value)
      maximum = max(maximum ?? value, value)
      let shifted = Double(value) - shift
      sum += shifted
      squares += shifted * shifted
      tile.count += 1
    }
    guard tile.count > 0 else { return }
    tile.mean = shift + sum / tile.count
    tile.squares = max(0, squares - sum * sum / tile.count)
    moments.join(tile)
  }
}

/// Count, mean and summed squared deviations of the values seen so far.
private struct RunningMoments {
  var count = 0.0
  var mean = 0.0
  var squares = 0.0

  /// Chan, Golub and LeVeque's formula for two parts of a sample.
  mutating func join(_ other: RunningMoments) {
    let total = count + other.count
    let delta = other.mean - mean
    squares += other.squares + delta * delta * count * other.count / total
    mean += delta * other.count / total
    count = total
  }
}
