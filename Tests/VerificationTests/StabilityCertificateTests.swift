import Testing

@testable import Verification

@Suite("what a stability certificate says of its numbers")
struct StabilityCertificateTests {
  private func certificate(
    _ losses: [Double?], settling: Double?, sizes: [Double] = [1, 1, 1, 1]
  ) -> StabilityCertificate {
    let depths = zip([1, 4, 16, 64], zip(losses, sizes)).map {
      StabilityCertificate.Depth(
        recurrence: $0, loss: $1.0, settling: settling, rootMeanSquare: $1.1)
    }
    return StabilityCertificate(depths: depths, windows: 1, tokens: 10)
  }

  @Test("a state at rest settles, one that moves drifts, one that grows or is no number explodes")
  func verdicts() {
    #expect(certificate([2, 1, 1, 1], settling: 0.009).verdict == .settles)
    #expect(certificate([2, 1, 1, 1], settling: 0.02).verdict == .drifts)
    #expect(
      certificate([2, 1, 1, 1], settling: 0.009, sizes: [1, 2, 50, 101]).verdict == .explodes)
    #expect(certificate([2, 1, 1, nil], settling: 0.009).verdict == .explodes)
    #expect(certificate([2, 1, 1, 1], settling: nil).verdict == .explodes)
    #expect(certificate([2, 1, 1, nil], settling: 0.02).check.verdict == .failed)
    #expect(certificate([2, 1, 1, 1], settling: 0.02).check.verdict == .passed)
  }

  @Test("the safe range is around the least loss, and ends at the first that is far from it")
  func ranges() {
    #expect(certificate([2, 1.04, 1, 1.06], settling: 1).safe == 4...16)
    #expect(certificate([1, 1.04, 2, 1.01], settling: 1).safe == 1...4)
    #expect(certificate([1, 1, 1, 1], settling: 1).safe == 1...64)
    #expect(certificate([nil, 1.01, 1, nil], settling: 1).safe == 4...16)
    #expect(certificate([nil, nil, nil, nil], settling: 1).safe == nil)
  }
}
