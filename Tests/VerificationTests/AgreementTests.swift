import Testing

@testable import Verification

@Suite("agreement of predictions")
struct AgreementTests {
  @Test("equal numbers are exact, and a zero's sign does not count")
  func exact() {
    let distance = Distance([1, -0.0, 3], from: [1, 0, 3])
    #expect(distance.isExact)
    #expect(distance.relativeNorm == 0)
  }

  @Test("one changed value is found, with its place and size")
  func different() {
    let distance = Distance([3, 4.5], from: [3, 4])
    #expect(distance.firstDifference == 1)
    #expect(distance.maximumAbsolute == 0.5)
    #expect(abs(distance.relativeNorm - 0.1) < 1e-12)
    #expect(abs(distance.nmse - 0.01) < 1e-12)
  }

  @Test("a NaN in either is never agreement")
  func notANumber() {
    #expect(!Distance([.nan], from: [.nan]).isExact)
    #expect(!Distance([1, .infinity], from: [1, .infinity]).isFinite)
  }

  @Test("divergence equals the definition for two-way predictions")
  func divergence() {
    // p = (0.5, 0.5), q = (0.75, 0.25): KL(p || q) = 0.5 ln(0.5/0.75) + 0.5 ln(0.5/0.25).
    let agreement = PredictionAgreement([1.0986123, 0], from: [0, 0], vocabulary: 2)
    #expect(abs(agreement.meanKL - 0.143_841) < 1e-6)
    #expect(agreement.top1 == 1)
    #expect(agreement.top10 == 1)
  }

  @Test("top ten shares are counted by token")
  func shares() {
    let reference = (0..<20).map { Float(20 - $0) }
    var logits = reference
    logits[9] = -1  // the tenth most likely falls out, the eleventh comes in
    let agreement = PredictionAgreement(logits, from: reference, vocabulary: 20)
    #expect(agreement.top1 == 1)
    #expect(abs(agreement.top10 - 0.9) < 1e-12)
  }
}
