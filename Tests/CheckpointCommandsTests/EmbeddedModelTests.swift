import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("the shipped model on the command line")
struct EmbeddedModelTests {
  /// Float32 implementations of this size differ by a few 1e-6 relative.
  static let tolerance = 2e-5

  @Test("eval finds the held-out loss that transformers finds")
  func heldOutLoss() throws {
    let path = Fixtures.path("text/figures.json")
    let figures = try JSONValue(parsing: Array(Data(contentsOf: URL(filePath: path))))
    let done = try outcome(
      Eval.self,
      [Fixtures.path("tiny-arithmetic"), "--data", Fixtures.path("text/heldout.txt"), "--json"])
    #expect(done.code == 0)
    let loss = try #require(done.json?["results"]?.array?.first?["loss"]?.double)
    let expected = try #require(figures["loss"]?.double)
    #expect(abs(loss - expected) <= Self.tolerance * expected)
    let unigram = try #require(figures["unigram_loss"]?.double)
    #expect(loss < unigram / 4)
  }
}
