import Tensors

/// A step's gradients in pieces, each exchanged while the backward pass computes the next.
///
/// The pieces and their order follow from the stages alone, so they are the same on every rank
/// whatever its batches are.
final class GradientBuckets {
  private struct Bucket {
    /// The stages before this one are all that it waits for.
    var stages: Int
    var ranges: [Range<Int>]
  }

  private let gradients: Buffer
  private let exchange: any GradientExchange
  private let buckets: [Bucket]
  private let stageCount: Int
  private var sent = 0

  /// - Parameters:
  ///   - least: Floats that are worth a bucket.
  ///   - most: Floats that are exchanged at once.
  init(
    _ gradients: Buffer, stages: [[Range<Int>]], over exchange: any GradientExchange,
    least: Int = 1 << 18, most: Int = 1 << 24
  ) {
    self.gradients = gradients
    self.exchange = exchange
    stageCount = stages.count
    var buckets: [Bucket] = []
    var open: [Range<Int>] = []
    for (stage, ranges) in stages.enumerated() {
      open += ranges
      let size = open.reduce(0) { $0 + $1.count }
      guard size >= least || stage == stages.count - 1 else { continue }
      buckets.append(Bucket(stages: stage + 1, ranges: Self.pieces(open, most: most)))
      open = []
    }
    self.buckets = buckets
  }

  /// Padding between neighbours that is not worth a message of its own, in floats.
  private static let padding = 15

  /// Neighbours joined, then cut.
  private static func pieces(_ ranges: [Range<Int>], most: Int) -> [Range<Int>] {
    var joined: [Range<Int>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = joined.last, range.lowerBound - last.upperBound <= padding {
        joined[joined.count - 1] = last.lowerBound..<range.upperBound
      } else {
        joined.append(range)
      }
    }
    return joined.flatMap { range in
      stride(from: range.lowerBound, to: range.upperBound, by: most).map {
        $0..<min($0 + most, range.upperBound)
      }
    }
  }

  /// Stages that cover all of `tensors`: those that a model tells of nothing are complete at the end.
  static func stages(_ stages: [[Range<Int>]], covering tensors: [TrainedTensor]) -> [[Range<Int>]]
  {
    let known = stages.joined()
    let rest = tensors.map { $0.offset..<($0.offset + $0.elementCount) }.filter { range in
      !known.contains { $0.overlaps(range) }
    }
    return rest.isEmpty ? stages : stages + [rest]
  }

  /// Sends what waits for stage `stage` and those before it.
  func complete(_ stage: Int) { send(stages: stage + 1) }

  /// Sends what is left of this step, and waits until all sums are there.
  func finish() throws {
    send(stages: stageCount)
    sent = 0
    try exchange.finish()
  }

  private func send(stages: Int) {
    while sent < buckets.count, buckets[sent].stages <= stages {
      for range in buckets[sent].ranges { exchange.begin(gradients, range) }
      sent += 1
    }
  }
}
