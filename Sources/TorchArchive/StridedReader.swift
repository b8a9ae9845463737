import ByteIO
import Tensors

/// Gathers the elements of a strided view into row-major order, reading no more of the storage at
/// once than a tile.
struct StridedReader {
  /// Most bytes read at once.
  static let tile = 1 << 20

  /// One dimension of a box of elements: where it steps in the storage and in the result.
  private struct Dimension {
    var count: Int
    var sourceStride: Int
    var targetStride: Int
  }

  private let view: TensorView
  /// Fills an array with the storage's bytes from a position on.
  private let fetch: (Int, inout [UInt8]) throws(TorchError) -> Void
  private(set) var result: [UInt8]

  /// Gathers `elements`, counted in row-major order, of `view`.
  ///
  /// - Parameter fetch: Fills the array with the storage's bytes from the given position on.
  init(
    _ view: TensorView, _ elements: Range<Int>,
    fetch: @escaping (Int, inout [UInt8]) throws(TorchError) -> Void
  ) throws(TorchError) {
    self.view = view
    self.fetch = fetch
    result = [UInt8](repeating: 0, count: elements.count * view.elementSize)
    var position = elements.lowerBound
    while position < elements.upperBound {
      position += try gatherBox(from: position, to: elements.upperBound, at: elements.lowerBound)
    }
  }

  /// Gathers the largest box of whole inner dimensions that starts at `position`; gives its size.
  private mutating func gatherBox(
    from position: Int, to end: Int, at start: Int
  ) throws(TorchError) -> Int {
    var box: [Dimension] = []
    var source = view.offset
    var inner = 1
    var rest = position
    // From the innermost dimension outwards: whole ones, then a part of one, then fixed indices.
    var isWhole = true
    for (size, stride) in zip(view.sizes, view.strides).reversed() {
      let index = rest % size
      rest /= size
      source += index * stride
      guard isWhole else { continue }
      let count = min(size - index, (end - position) / inner)
      box.append(Dimension(count: count, sourceStride: stride, targetStride: inner))
      inner *= count
      isWhole = index == 0 && count == size
    }
    // Large steps outside, so that neighbours in the storage are read together.
    box = box.filter { $0.count > 1 }.sorted { $0.sourceStride > $1.sourceStride }
    try gather(box[...], from: source, to: position - start)
    return inner
  }

  /// Reads the box at once when what it spans fits a tile and is mostly wanted; else by parts of
  /// its outermost dimension. The recursion is as deep as the tensor has dimensions.
  private mutating func gather(
    _ box: ArraySlice<Dimension>, from source: Int, to target: Int
  ) throws(TorchError) {
    let size = view.elementSize
    let spans = box.reduce(1) { $0 + ($1.count - 1) * $1.sourceStride }
    let wanted = box.reduce(1) { $0 * $1.count }
    guard let outer = box.first, !Self.isWorthReading(spans * size, wanted * size) else {
      var bytes = [UInt8](repeating: 0, count: spans * size)
      try fetch(source * size, &bytes)
      return scatter(bytes, box, to: target)
    }
    let below = box.dropFirst()
    let part = partCount(outer, below)
    var done = 0
    while done < outer.count {
      let count = min(part, outer.count - done)
      let from = source + done * outer.sourceStride
      let to = target + done * outer.targetStride
      if count == 1 {
        try gather(below, from: from, to: to)
      } else {
        var piece = outer
        piece.count = count
        try gather([piece] + below, from: from, to: to)
      }
      done += count
    }
  }

  private static func isWorthReading(_ spanned: Int, _ wanted: Int) -> Bool {
    spanned <= tile && (spanned <= 4096 || spanned / 4 <= wanted)
  }

  /// How many steps of `outer` can be read at once.
  private func partCount(_ outer: Dimension, _ below: ArraySlice<Dimension>) -> Int {
    let size = view.elementSize
    let spans = below.reduce(1) { $0 + ($1.count - 1) * $1.sourceStride } * size
    let wanted = below.reduce(1) { $0 * $1.count } * size
    let step = max(1, outer.sourceStride * size)
    let fitting = max(1, (Self.tile - spans) / step + 1)
    let count = min(outer.count, fitting)
    return Self.isWorthReading(spans + (count - 1) * step, wanted * count) ? count : 1
  }

  /// Copies the box's elements out of `bytes`, which begin with its first.
  private mutating func scatter(_ bytes: [UInt8], _ box: ArraySlice<Dimension>, to target: Int) {
    let inner = box.last ?? Dimension(count: 1, sourceStride: 1, targetStride: 1)
    let outer = Array(box.dropLast())
    var indices = [Int](repeating: 0, count: outer.count)
    var (source, place) = (0, target)
    while true {
      copyRun(bytes, from: source, to: place, inner)
      var i = outer.count - 1
      while i >= 0 {
        indices[i] += 1
        source += outer[i].sourceStride
        place += outer[i].targetStride
        if indices[i] < outer[i].count { break }
        indices[i] = 0
        source -= outer[i].count * outer[i].sourceStride
        place -= outer[i].count * outer[i].targetStride
        i -= 1
      }
      if i < 0 { return }
    }
  }

  private mutating func copyRun(
    _ bytes: [UInt8], from source: Int, to target: Int, _ run: Dimension
  ) {
    let size = view.elementSize
    var (from, to) = (source * size, target * size)
    let (fromStep, toStep) = (run.sourceStride * size, run.targetStride * size)
    for _ in 0..<run.count {
      for i in 0..<size { result[to + i] = bytes[from + i] }
      from += fromStep
      to += toStep
    }
  }
}
