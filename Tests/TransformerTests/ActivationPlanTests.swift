import Kernels
import Tensors
import Testing

@testable import Transformer

@Suite("training within a budget of memory")
struct ActivationPlanTests {
  private func model(budget: Int? = nil, deepest: Int = 0) throws -> (TrainableModel, Golden) {
    let golden = try Golden("tiny-llama")
    let (graph, source) = try golden.checkpoint("retrofit")
    return (
      try TrainableModel(
        graph, from: source, on: Compute(2), activationBudget: budget, deepest: deepest), golden
    )
  }

  @Test("a plan stays within any budget that its smallest form fits")
  func fits() throws {
    let network = try model().0.network
    func plan(_ budget: Int) -> ActivationPlan {
      ActivationPlan(network, sequences: 12, length: 64, steps: 4, budget: budget)
    }
    let least = plan(0)
    #expect(least.sequences == 1 && least.kept == 1)
    let all = plan(1 << 40)
    #expect(all.sequences == 12 && all.kept == all.executions)
    var sizes: Set<Int> = []
    for budget in stride(from: least.byteCount, to: all.byteCount, by: 100_000) {
      let plan = plan(budget)
      #expect(plan.byteCount <= budget && 12 % plan.sequences == 0)
      sizes.insert(plan.sequences)
    }
    #expect(sizes.count > 1, "smaller slices are tried")
  }

  @Test("computing activations again changes no bit of the gradients")
  func recomputes() throws {
    let (whole, golden) = try model(budget: 1 << 40)
    let (tight, _) = try model()
    let (batch, labels) = (try golden.batch(), try golden.integers("labels"))
    let full = whole.plan(sequences: 2, length: 12, gradSteps: 3)
    // Some bytes less than everything: the same slices, fewer executions kept.
    tight.activationBudget = full.byteCount - 1
    let plan = tight.plan(sequences: 2, length: 12, gradSteps: 3)
    #expect(plan.sequences == full.sequences && plan.kept < full.kept)
    for model in [whole, tight] {
      _ = try model.lossAndGradient(batch, labels: labels, gradSteps: 3)
    }
    let range = 0..<whole.gradients.floatCount
    #expect(whole.gradients.floats(range) == tight.gradients.floats(range))
  }

  @Test("steps of every depth up to the deepest work in the same memory")
  func deepest() throws {
    let (model, _) = try model(deepest: 5)
    let plans = [0, 1, 5].map { model.plan(sequences: 2, length: 12, gradSteps: $0) }
    #expect(plans[0] == plans[1] && plans[1] == plans[2])
    #expect(model.plan(sequences: 2, length: 12, gradSteps: 6).steps == 6)
  }

  /// The golden model's state is random, so that its seed would show.
  @Test(
    "a loss does not depend on how sequences are grouped into batches", arguments: [0, 1 << 40])
  func grouping(budget: Int) throws {
    let (model, golden) = try model(budget: budget)
    let (batch, labels) = (try golden.batch(), try golden.integers("labels"))
    let together = try model.loss(batch, labels: labels, recurrence: 2, state: .seeded(3))
    var apart = LossSum(nats: 0, count: 0)
    for i in 0..<2 {
      let part = batch.part(i..<(i + 1))
      apart += try model.loss(
        batch.slice(part), labels: Array(labels[part.tokens]), recurrence: 2, state: .seeded(3))
    }
    #expect(apart.count == together.count)
    #expect(abs(apart.mean - together.mean) < 1e-6 * together.mean)
  }
}
