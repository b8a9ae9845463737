import Foundation
import Tensors
import Transformer

@testable import Training

/// Bigrams: the logits of the next token are a row of a table. The gradient is exact, and depends on
/// the recurrence, so that a wrong draw shows.
final class ToyModel: TrainingModel {
  let vocabulary: Int
  let parameters: Buffer
  let gradients: Buffer
  let tensors: [TrainedTensor]
  let isRecurrent = true
  /// Micro-batches at which the gradient is not finite.
  var badCalls: Set<Int> = []
  private(set) var calls = 0
  var dependsOnDraw = true

  init(vocabulary: Int) throws {
    self.vocabulary = vocabulary
    parameters = try Buffer(floats: vocabulary * vocabulary)
    gradients = try Buffer(floats: vocabulary * vocabulary)
    tensors = [
      TrainedTensor(
        name: "table", shape: [vocabulary, vocabulary], offset: 0, isBodyMatrix: true)
    ]
  }

  func accumulate(
    _ batch: TokenBatch, _ draw: RecurrenceDraw, stateSeed: UInt64, scale: Double
  ) throws -> MicroBatchLoss {
    calls += 1
    let noise = Float(RandomStream(seed: stateSeed).uniform(at: 0)) * 1e-3
    let weight = dependsOnDraw ? 1 + 0.01 * Float(draw.total) + noise : 1
    let loss = pass(batch, weight: weight * Float(scale))
    if badCalls.contains(calls) { gradients[0] = .nan }
    return MicroBatchLoss(loss)
  }

  func parametersChanged() {}

  func losses(_ batch: TokenBatch, recurrence: Int?, stateSeed: UInt64) throws -> [LossSum] {
    let length = batch.tokens.count / batch.rows
    return (0..<batch.rows).map { row in
      var part = batch
      part.rows = 1
      part.tokens = Array(batch.tokens[row * length..<(row + 1) * length])
      part.labels = Array(batch.labels[row * length..<(row + 1) * length])
      let count = part.targetCount
      return LossSum(nats: count == 0 ? 0 : Double(count) * pass(part, weight: nil), count: count)
    }
  }

  private func pass(_ batch: TokenBatch, weight: Float?) -> Double {
    var sum = 0.0
    for (token, label) in zip(batch.tokens, batch.labels) where label >= 0 {
      let row = Int(token) * vocabulary
      let exponentials = (0..<vocabulary).map { exp(parameters[row + $0]) }
      let total = exponentials.reduce(0, +)
      sum -= Double(log(exponentials[Int(label)] / total))
      guard let weight else { continue }
      for j in 0..<vocabulary {
        let target: Float = j == Int(label) ? 1 : 0
        gradients[row + j] +=
          weight * (exponentials[j] / total - target) / Float(batch.targetCount)
      }
    }
    return sum / Double(batch.targetCount)
  }
}

/// A text of repeating letters: easy to learn.
struct LetterStream: TokenStream {
  var path = "letters"
  var count = 4000
  var vocabulary = 12

  func read(at start: Int, into tokens: inout [UInt32]) throws {
    for i in tokens.indices {
      let position = start + i
      let step = position / 7 % 3 == 0 ? 5 : 1
      tokens[i] = UInt32(position * step % vocabulary)
    }
  }
}
