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
    _ name: String, threads: Int = 2, budget: Int? = nil, training parts: TrainedParts = .all,
    prepare: (TrainableModel) throws -> Void = { _ in }
  ) throws -> (model: TrainableModel, loss: LossSum) {
    let fixture = try FamilyFixture(name)
    let (graph, source) = try fixture.recurrent()
    let model = try TrainableModel(
      graph, from: source, on: Compute(threads), activationBudget: budget, training: parts)
    try prepare(model)
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

  @Test(
    "factors of every matrix learn: dB = scale · dW · Aᵀ, dA = scale · Bᵀ · dW", arguments: names)
  func lowRank(name: String) throws {
    let lowRank = LowRank(
      rank: 2, alpha: 6,
      roles: [.query, .output, .gate, .up, .down, .expertGate, .expertUp, .expertDown], seed: 3)
    let (model, loss) = try trained(
      name, training: TrainedParts(lowRank: lowRank) { _ in false }
    ) { model in
      for (i, factor) in model.factors.enumerated() {
        let b = factor.b(in: model.parameters)
        b.assign((0..<b.rows * b.columns).map { Float(($0 * 7 + i * 3) % 11 - 5) / 50 })
      }
      try model.parametersChanged()
    }
    let (whole, wanted) = try trained(name) { whole in
      for (merged, tensor) in zip(model.tensors, whole.tensors.sorted(by: model.tensors)) {
        #expect(merged.parameter.name == tensor.parameter.name)
        Matrix(whole.parameters, offset: tensor.offset, rows: 1, columns: tensor.count)
          .assign(model.parameters.floats(merged.offset..<merged.offset + merged.count))
      }
    }
    #expect(abs(loss.mean - wanted.mean) < 1e-6 * wanted.mean)
    let blocks = model.graph.blocks
    let matrices = blocks.reduce(0) { $0 + 3 * ($1.spec.mlp.experts?.count ?? 1) }
    #expect(model.factors.count == 2 * blocks.count + matrices)
    for factor in model.factors {
      let start = try #require(whole.tensors.first { $0.role == factor.field }?.offset)
      let dW = Matrix(
        whole.gradients, offset: start + factor.rows.lowerBound * factor.columns,
        rows: factor.rows.count, columns: factor.columns)
      let (a, b) = (factor.a(in: model.parameters), factor.b(in: model.parameters))
      let (dA, dB) = (factor.a(in: model.gradients), factor.b(in: model.gradients))
      func sums(_ rows: Int, _ columns: Int, _ count: Int, _ term: (Int, Int, Int) -> Float)
        -> [Float]
      {
        (0..<rows).flatMap { i in
          (0..<columns).map { j in
            Float(3 * (0..<count).reduce(0.0) { $0 + Double(term(i, j, $1)) })
          }
        }
      }
      let wantedB = sums(dB.rows, dB.columns, dW.columns) { dW[$0, $2] * a[$1, $2] }
      let wantedA = sums(dA.rows, dA.columns, dW.rows) { b[$2, $0] * dW[$2, $1] }
      let place = "\(factor.block) \(factor.role) \(factor.expert ?? -1)"
      if wantedB.allSatisfy({ $0 == 0 }) {
        // No row chose the expert.
        #expect(dA.floats.allSatisfy { $0 == 0 } && dB.floats.allSatisfy { $0 == 0 }, "\(place)")
      } else {
        #expect(relativeError(dB.floats, wantedB) < 1e-4, "\(place)")
        #expect(relativeError(dA.floats, wantedA) < 1e-4, "\(place)")
      }
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

extension [TrainableTensor] {
  /// In the order in which `others` name them.
  fileprivate func sorted(by others: [TrainableTensor]) -> [TrainableTensor] {
    others.compactMap { other in first { $0.parameter.name == other.parameter.name } }
  }
}
