import Kernels
import ModelGraph
import Tensors
import Testing

@testable import Transformer

@Suite("blocks with experts")
struct ExpertTests {
  /// One single, one packed, one with other blocks between.
  private static let names = ["olmoe-normalised", "mixtral-packed", "qwen3moe-mixed"]

  private func trained(
    _ name: String, threads: Int = 2, budget: Int? = nil, training parts: TrainedParts = .all
  ) throws -> (model: TrainableModel, loss: LossSum) {
    let fixture = try FamilyFixture(name)
    let (graph, source) = try fixture.recurrent()
    let model = try TrainableModel(
      graph, from: source, on: Compute(threads), activationBudget: budget, training: parts)
    let loss = try model.lossAndGradient(
      fixture.batch(), labels: fixture.integers("labels"), noGradSteps: 1, gradSteps: 2,
      state: .given(fixture.floats("initial_state")))
    return (model, loss)
  }

  private func gradients(_ model: TrainableModel) -> [UInt32] {
    model.gradients.floats(0..<model.gradients.floatCount).map(\.bitPattern)
  }

  @Test("the same bits whatever the number of threads", arguments: names)
  func threads(name: String) throws {
    let fixture = try FamilyFixture(name)
    let logits = try [1, 2, 3].map { threads in
      let model = try Model(fixture.graph, from: fixture.checkpoint, on: Compute(threads))
      return try #require(try model.forward(fixture.batch()).logits).floats.map(\.bitPattern)
    }
    #expect(logits[1] == logits[0] && logits[2] == logits[0])
  }

  @Test("activations computed again change no bit of the gradients", arguments: names)
  func recomputes(name: String) throws {
    let (whole, _) = try trained(name, budget: 1 << 40)
    let (tight, _) = try trained(name, budget: 0)
    let kept = { (model: TrainableModel) in
      model.plan(sequences: 1, length: 24, gradSteps: 2).kept
    }
    #expect(kept(tight) == 1 && kept(whole) > 1)
    #expect(gradients(tight) == gradients(whole))
    #expect(tight.balanceLoss == whole.balanceLoss)
  }

  @Test("factors of attention learn beside frozen experts: dB = scale · dW · Aᵀ", arguments: names)
  func lowRank(name: String) throws {
    let lowRank = LowRank(
      rank: 2, alpha: 6, roles: [.query, .output, .gate, .up, .down], seed: 3)
    let (model, loss) = try trained(
      name, training: TrainedParts(lowRank: lowRank) { _ in false })
    let (whole, wanted) = try trained(name)
    // B starts at 0, so that the model is the same.
    #expect(abs(loss.mean - wanted.mean) < 1e-6 * wanted.mean)
    let blocks = model.graph.blocks
    let dense = blocks.count { $0.spec.mlp.experts == nil }
    #expect(model.factors.count == 2 * blocks.count + 3 * dense)
    for factor in model.factors where factor.role == .query || factor.role == .output {
      let tensor = try #require(
        whole.tensors.first {
          $0.role == factor.field && $0.parameter.name == blocks[factor.block][factor.role]?.name
        })
      let dW = Matrix(
        whole.gradients, offset: tensor.offset, rows: factor.rows.count, columns: factor.columns)
      let (a, dB) = (factor.a(in: model.parameters), factor.b(in: model.gradients))
      let want = (0..<dB.rows).flatMap { row in
        (0..<dB.columns).map { k in
          Float(
            (0..<dW.columns).reduce(0.0) { $0 + Double(dW[row, $1]) * Double(a[k, $1]) } * 3)
        }
      }
      #expect(relativeError(dB.floats, want) < 1e-4, "\(factor.block) \(factor.role)")
    }
  }

  @Test("experts that no token chose have no gradient, and the others have")
  func unchosen() throws {
    let fixture = try FamilyFixture("mixtral-default")
    let model = try TrainableModel(fixture.graph, from: fixture.checkpoint, on: Compute(2))
    let token = try fixture.integers("input_ids")[0]
    _ = try model.lossAndGradient(
      Batch(tokens: [token], sequences: 1), labels: [5])
    for block in fixture.graph.blocks.indices {
      let downs = model.tensors.filter { $0.role == .block(block, .expertsDown) }
      let moved = downs.filter { tensor in
        (0..<tensor.count).contains { model.gradients[tensor.offset + $0] != 0 }
      }
      #expect(downs.count == 8 && moved.count == 2)
    }
  }
}
