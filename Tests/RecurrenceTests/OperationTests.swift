import Tensors
import Testing

@testable import Recurrence

@Suite("operations in words")
struct OperationTests {
  static let initialisers: [Initialiser] = [
    .zeros, .ones, .identities(state: 0.5, prelude: 1), .uniform(bound: 0.029_462_783, seed: 74),
    .normal(standardDeviation: 1.5e-9, seed: .max),
  ]

  @Test("what an initialised tensor's operations say is read back", arguments: initialisers)
  func readsBack(initialiser: Initialiser) {
    let operations = Recipe(.initialised(initialiser), as: .bf16).operations(stored: [])
    #expect(Initialiser(operations: operations) == initialiser)
  }

  @Test(
    "anything else is nothing",
    arguments: [
      [], [""], ["copy"], ["cast BF16"], ["initialise"], ["initialise ones", "cast BF16"],
      ["initialise uniform ±0.5"], ["initialise uniform ±0.5, seed -1"],
      ["initialise identities 0, 1"], ["initialise normal nan, seed 1 "],
    ])
  func refuses(operations: [String]) { #expect(Initialiser(operations: operations) == nil) }
}
