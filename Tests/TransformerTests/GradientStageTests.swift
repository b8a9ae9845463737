import Kernels
import ModelGraph
import Tensors
import Testing

@testable import Transformer

@Suite("stages of a backward pass")
struct GradientStageTests {
  @Test(
    "are told in order, complete, and cover every parameter", arguments: Golden.retrofits,
    [(3, 2), (0, 3)])
  func stages(name: String, plan: (without: Int, with: Int)) throws {
    let golden = try Golden(name)
    let (graph, source) = try golden.checkpoint("retrofit")
    let model = try TrainableModel(graph, from: source, on: Compute(2))
    let stages = model.gradientStages
    var seen: [GradientStage] = []
    var early: [GradientStage: [[UInt32]]] = [:]
    func gradients(_ ranges: [Range<Int>]) -> [[UInt32]] {
      ranges.map { model.gradients.floats($0).map(\.bitPattern) }
    }
    model.stageCompleted = { stage in
      guard let ranges = stages.first(where: { $0.stage == stage })?.ranges else { return }
      seen.append(stage)
      early[stage] = gradients(ranges)
    }
    _ = try model.lossAndGradient(
      golden.batch(), labels: golden.integers("labels"), noGradSteps: plan.without,
      gradSteps: plan.with, state: golden.initialState())
    #expect(seen == stages.map(\.stage))
    for (stage, ranges) in stages {
      #expect(early[stage] == gradients(ranges), "\(stage) was complete when it was told")
    }
    let covered = stages.flatMap { $0.ranges.flatMap { Array($0) } }
    #expect(covered.count == graph.parameters.reduce(0) { $0 + $1.elementCount })
    #expect(Set(covered).count == covered.count)
  }
}
