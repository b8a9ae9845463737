package import ByteIO

/// Carries out recipes on a source, any range of result rows at a time.
///
/// A row is an index along axis 0; a scalar has one. Reads are positional, so one reader serves any
/// number of threads. Memory beside the caller's: one tile.
package struct RecipeReader: Sendable {
  private let source: any RecipeSource

  /// Stored bytes that are held while they are converted.
  private static let tile = 1 << 18

  package init(_ source: any RecipeSource) { self.source = source }

  /// Fills `bytes` with the rows `rows` of the result: the stored bytes where the type stays, cast or
  /// decoded ones otherwise.
  ///
  /// - Parameters:
  ///   - shape: Shape of the result; `rows` lies within its first dimension.
  ///   - type: Type of the result: the recipe's, or the stored one, F32 for quantised blocks.
  ///   - bytes: Room for exactly these rows.
  /// - Returns: How many values overflowed in a cast.
  @discardableResult
  package func read(
    _ recipe: Recipe, shape: [Int], type: ElementType, rows: Range<Int>,
    into bytes: inout MutableRawSpan
  ) throws -> Overflow {
    let length = shape.dropFirst().reduce(1, &*)
    var overflow = Overflow.zero
    var start = 0
    switch recipe.content {
    case .rows where recipe.offset != 0:
      var values = [Float](repeating: 0, count: rows.count * length)
      var span = values.mutableSpan
      try readFloats(
        Recipe(recipe.content, offset: recipe.offset), shape: shape, rows: rows, into: &span)
      overflow = try encode(values.span, as: type, into: &bytes)
    case .rows(let parts):
      for run in Self.runs(parts, rows) {
        let record = try check(run, length)
        let count = try byteCount(.element(type), run.rows.count * length, run.tensor)
        var target = bytes._mutatingExtracting(start..<(start + count))
        if record.type == .element(type) {
          try source.read(
            run.tensor, at: run.rows.lowerBound * length * type.bitWidth / 8, into: &target)
        } else {
          overflow += try convert(record, run, length, to: type, into: &target)
        }
        start += count
      }
    case .initialised(let initialiser):
      overflow = try initialiser.write(shape: shape, rows: rows, as: type, into: &bytes)
    }
    return overflow
  }

  /// Fills `values` with the rows `rows` of the result as float32; a cast in the recipe is carried
  /// out, with its rounding, before.
  package func readFloats(
    _ recipe: Recipe, shape: [Int], rows: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    let length = shape.dropFirst().reduce(1, &*)
    switch recipe.content {
    case .initialised(let initialiser):
      initialiser.fill(shape: shape, from: rows.lowerBound * length, into: &values)
    case .rows(let parts):
      var start = 0
      for run in Self.runs(parts, rows) {
        let record = try check(run, length)
        let count = run.rows.count * length
        var target = values._mutatingExtracting(start..<(start + count))
        if let type = recipe.type, record.type != .element(type), type != .f32, recipe.offset == 0 {
          try roundTrip(record, run, length, through: type, into: &target)
        } else {
          try floats(record, run.rows.lowerBound * length..<run.rows.upperBound * length, &target)
        }
        start += count
      }
      if recipe.offset != 0 { try add(recipe, to: &values) }
    }
  }

  /// Where the bytes of the whole result lie in files, one after another, when it is a mere copy;
  /// nil when anything is computed or a source keeps its bytes in another form.
  package func regions(_ recipe: Recipe, shape: [Int], type: ElementType) throws -> [ByteRegion]? {
    guard case .rows(let parts) = recipe.content, recipe.offset == 0 else { return nil }
    let length = shape.dropFirst().reduce(1, &*)
    var regions: [ByteRegion] = []
    for part in parts {
      guard part.order == .stored else { return nil }
      let record = try check(Run(tensor: part.tensor, rows: part.rows), length)
      guard record.type == .element(type), let region = source.region(part.tensor) else {
        return nil
      }
      let row = length * type.bitWidth
      let range = part.rows.lowerBound * row / 8..<part.rows.upperBound * row / 8
      guard let piece = region.subregion(range) else { return nil }
      regions.append(piece)
    }
    return regions
  }
}

extension RecipeReader {
  /// Consecutive stored rows of one source tensor.
  fileprivate struct Run {
    var tensor: TensorName
    var rows: Range<Int>
  }

  /// The stored rows that make up `rows` of the result, in order.
  fileprivate static func runs(_ parts: [RowSource], _ rows: Range<Int>) -> [Run] {
    var runs: [Run] = []
    for part in parts.taking(rows) {
      if part.order == .stored {
        runs.append(Run(tensor: part.tensor, rows: part.rows))
      } else {
        for row in part.rows {
          let stored = part.order.storedRow(row)
          runs.append(Run(tensor: part.tensor, rows: stored..<(stored + 1)))
        }
      }
    }
    return runs
  }

  fileprivate func check(_ run: Run, _ length: Int) throws(RecipeError) -> TensorRecord {
    guard let record = source.record(run.tensor) else {
      throw RecipeError(.missing, tensor: run.tensor)
    }
    guard let count = record.rowCount(length: length) else {
      let found = record.shape.dropFirst().reduce(1, &*)
      throw RecipeError(.rowLength(found: found, wanted: length), tensor: run.tensor)
    }
    guard run.rows.lowerBound >= 0, run.rows.upperBound <= count else {
      throw RecipeError(.rowsOutside(run.rows, count: count), tensor: run.tensor)
    }
    return record
  }

  fileprivate func byteCount(
    _ type: StorageType, _ elements: Int, _ tensor: TensorName
  ) throws(RecipeError) -> Int {
    guard let count = type.byteCount(elements: elements) else {
      throw RecipeError(.partialBytes(type), tensor: tensor)
    }
    return count
  }

  /// Casts or decodes a run, a tile at a time.
  fileprivate func convert(
    _ record: TensorRecord, _ run: Run, _ length: Int, to type: ElementType,
    into bytes: inout MutableRawSpan
  ) throws -> Overflow {
    var overflow = Overflow.zero
    let rowBytes = try byteCount(.element(type), length, run.tensor)
    let step = max(1, Self.tile / max(1, length * 4))
    for first in stride(from: run.rows.lowerBound, to: run.rows.upperBound, by: step) {
      let rows = first..<min(run.rows.upperBound, first + step)
      let start = (first - run.rows.lowerBound) * rowBytes
      var target = bytes._mutatingExtracting(start..<(start + rows.count * rowBytes))
      guard case .element(let stored) = record.type else {
        var values = [Float](repeating: 0, count: rows.count * length)
        var span = values.mutableSpan
        try floats(record, rows.lowerBound * length..<rows.upperBound * length, &span)
        overflow += try encode(values.span, as: type, into: &target)
        continue
      }
      let size = try byteCount(record.type, length, run.tensor)
      var buffer = [UInt8](repeating: 0, count: rows.count * size)
      var raw = buffer.mutableRawSpan
      try source.read(run.tensor, at: rows.lowerBound * size, into: &raw)
      overflow += try cast(buffer.rawSpan, from: stored, to: type, into: &target)
    }
    return overflow
  }

  /// Adds the recipe's offset, and rounds to its type.
  fileprivate func add(_ recipe: Recipe, to values: inout MutableSpan<Float>) throws {
    for i in values.indices { values[i] += recipe.offset }
    guard let type = recipe.type, type != .f32 else { return }
    var buffer = [UInt8](repeating: 0, count: values.count * type.bitWidth / 8)
    var raw = buffer.mutableRawSpan
    _ = try encode(values.span, as: type, into: &raw)
    try decode(buffer.rawSpan, as: type, into: &values)
  }

  /// Elements as float32 after a cast to `type`.
  private func roundTrip(
    _ record: TensorRecord, _ run: Run, _ length: Int, through type: ElementType,
    into values: inout MutableSpan<Float>
  ) throws {
    let step = max(1, Self.tile / max(1, length * 4))
    for first in stride(from: run.rows.lowerBound, to: run.rows.upperBound, by: step) {
      let rows = first..<min(run.rows.upperBound, first + step)
      let part = Run(tensor: run.tensor, rows: rows)
      let count = try byteCount(.element(type), rows.count * length, run.tensor)
      var buffer = [UInt8](repeating: 0, count: count)
      var raw = buffer.mutableRawSpan
      _ = try convert(record, part, length, to: type, into: &raw)
      let start = (first - run.rows.lowerBound) * length
      var target = values._mutatingExtracting(start..<(start + rows.count * length))
      try decode(buffer.rawSpan, as: type, into: &target)
    }
  }

  /// Elements as float32. A block may cover several rows only in a vector, which is then decoded
  /// whole.
  private func floats(
    _ record: TensorRecord, _ elements: Range<Int>, _ values: inout MutableSpan<Float>
  ) throws {
    guard case .block(let block) = record.type, record.shape.count < 2,
      elements.count % block.elementCount != 0 || elements.lowerBound % block.elementCount != 0
    else { return try source.readFloats(record.name, elements: elements, into: &values) }
    let count = record.elementCount
    var all = [Float](repeating: 0, count: count)
    var span = all.mutableSpan
    try source.readFloats(record.name, elements: 0..<count, into: &span)
    for i in elements { values[i - elements.lowerBound] = all[i] }
  }
}
