import ByteIO
import Kernels
import ModelGraph

/// Blocks of a plain model that run several times in a row, the weights as they are.
///
/// The state moves by a share of what the blocks would change, at each pass: s ← s + d · (F(s) - s),
/// F the blocks one after another. With d = 1 / passes the blocks' one step is taken in small ones,
/// which models bear better than whole ones (training-free looping, arXiv 2605.23872).
package struct LoopedBlocks: Equatable, Sendable {
  package var blocks: ClosedRange<Int>
  /// Passes, from 1.
  package var passes: Int
  /// d.
  package var damping: Float

  package init(_ blocks: ClosedRange<Int>, passes: Int, damping: Float) {
    self.blocks = blocks
    self.passes = passes
    self.damping = damping
  }
}

extension Model {
  /// How well a plain model predicts `labels` when some of its blocks are looped, for each of several
  /// loops; what they share is computed once.
  ///
  /// - Parameters:
  ///   - labels: `[B * S]`, aligned to the logits, not shifted; -100 does not count.
  ///   - loops: Of blocks that the model has.
  ///   - progress: Called after each loop.
  /// - Returns: The loss of each loop; NaN or infinite where the loop makes it so.
  /// - Throws: `TransformerError`.
  package func losses(
    _ batch: Batch, labels: [Int32], looping loops: [LoopedBlocks], _ progress: () -> Void = {}
  ) throws -> [LossSum] {
    precondition(network.recurrence == nil, "a plain model")
    try checkLabels(labels, network)
    // The states between the blocks, of which every loop starts from one.
    let options = ForwardOptions(logits: .none, keepsHidden: true, normsLastHidden: false)
    guard let hidden = try forward(batch, options).hidden else { return [] }
    let visibility = Visibility(
      sequences: batch.sequences, queries: batch.length, first: batch.firstVisible)
    let room = try room(visibility.rows)
    let context = try context(visibility)
    func state(before block: Int) -> Matrix {
      hidden.rows(block * room.rows..<(block + 1) * room.rows)
    }
    return try loops.map { loop in
      try Interruption.check()
      context.run(loop, room, from: state(before:))
      network.finalNorm.apply(room.work.normed, room.stream, on: compute)
      let scores = try network.scores(of: room.work.normed, labels: labels, on: compute)
      progress()
      return LossSum(nats: scores.reduce(0) { $0 + $1.nats }, count: scores.count)
    }
  }
}

extension BlockContext {
  /// Leaves in the stream what the last block gives when some are looped.
  ///
  /// - Parameter state: What each block, and the end, is given where none is looped.
  fileprivate func run(_ loop: LoopedBlocks, _ room: Room, from state: (Int) -> Matrix) {
    let (first, end) = (loop.blocks.lowerBound, loop.blocks.upperBound + 1)
    let factors = [Float](repeating: loop.damping, count: room.rows)
    var trace: Trace?
    copy(room.state, state(first), on: compute)
    copy(room.stream, state(end), on: compute)
    for pass in 0..<loop.passes {
      if pass > 0 {
        copy(room.stream, room.state, on: compute)
        run(Array(loop.blocks), room, trace: &trace)
      }
      if loop.damping == 1 {
        copy(room.state, room.stream, on: compute)
      } else {
        copy(room.embedded, room.state, on: compute)
        addDifferences(room.state, room.stream, room.embedded, factors: factors, on: compute)
      }
    }
    copy(room.stream, room.state, on: compute)
    run(Array(end..<network.blocks.count), room, trace: &trace)
  }
}
