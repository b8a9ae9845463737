import Testing
import Transformer

@testable import Training

@Suite("Held-out loss")
struct HeldOutLossTests {
  /// Rows of 3, 2, 0 and 1 labels whose losses are 1.5, 1, - and 2 nats a token.
  private let rows: [[UInt32]] = [
    [1, 15, 15, 15], [1, 10, 10, 10 | TokenMark.notLearned],
    [1, 2, 3, 4].map { $0 | TokenMark.notLearned },
    [1, 2 | TokenMark.notLearned, 3 | TokenMark.notLearned, 20],
  ]

  private func value(_ rows: [[UInt32]], batchSize: Int) throws -> HeldOutLoss.Value {
    var settings = TrainingSettings()
    settings.microBatchSize = batchSize
    return try HeldOutLoss(of: rows, settings, over: SingleProcess()).measured { batch in
      (0..<batch.rows).map { row in
        let labels = batch.labels[row * 3..<(row + 1) * 3].filter { $0 >= 0 }
        return LossSum(
          nats: labels.reduce(0) { $0 + Double($1) / 10 }, count: labels.count)
      }
    }
  }

  @Test("the mean is over labels, its error over rows, for any batch size", arguments: 1...5)
  func measured(batchSize: Int) throws {
    let value = try value(rows, batchSize: batchSize)
    #expect(value.tokens == 6)
    #expect(abs(value.mean - 8.5 / 6) < 1e-12)
    // Rests of the rows: 4.5 - 3 m, 2 - 2 m, 2 - m with m = 17/12: 1/4, -5/6, 7/12. The square root of
    // (3/2) (1/16 + 25/36 + 49/144), over 6.
    let error = (1.5 * (0.0625 + 25.0 / 36 + 49.0 / 144)).squareRoot() / 6
    #expect(abs(try #require(value.error) - error) < 1e-12)
  }

  @Test("without labels there is no loss, and with one row no error")
  func few() throws {
    #expect(try value([rows[2]], batchSize: 2).mean.isNaN)
    let one = try value([rows[0], rows[2]], batchSize: 2)
    #expect(one.mean == 1.5 && one.error == nil)
  }
}
