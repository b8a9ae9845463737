import ByteIO
import Kernels
import ModelGraph
import Tensors
package import Transformer

/// Measures a `StabilityCertificate`.
package struct StabilityMeter {
  /// A sequence, and the labels that count.
  package struct Text {
    package var batch: Batch
    package var labels: [Int32]

    package init(_ batch: Batch, labels: [Int32]) {
      self.batch = batch
      self.labels = labels
    }
  }

  /// What one sequence's states do.
  private struct Course {
    /// ‖s_{r+1} - s_r‖ / ‖s_r‖ for r from 1 on.
    var settling: [Double] = []
    var rootMeanSquares: [Double] = []
    /// After the recurrences at which the derivative is taken.
    var states: [Int: [Float]] = [:]
  }

  private let model: Model
  private let derivatives: TrainableModel
  /// Recurrences after which the loss is taken.
  package let depths: [Int]
  /// Those of them at which the derivative is taken.
  package let derivativeDepths: [Int]

  /// Recurrences up to which the state is followed.
  package static let most = 64

  /// - Parameter readable: The same model; its weights are read once more, as float32.
  package init(_ model: Model, _ readable: ReadableModel) throws {
    guard let recurrence = model.network.recurrence else {
      throw VerificationError(.notRecurrent)
    }
    self.model = model
    let mean = min(recurrence.mean, Self.most)
    depths = Set([1, 2, 4, 8, 16, 32, Self.most, mean]).sorted()
    derivativeDepths = Set([1, mean, Self.most]).sorted()
    derivatives = try TrainableModel(
      readable.graph, from: readable.source, on: model.compute,
      training: TrainedParts { _ in false })
  }

  /// Pieces of work that `measure` reports for each text.
  package var stepsPerText: Int { 1 + depths.count + derivativeDepths.count }

  /// - Parameters:
  ///   - texts: At least one with a label that counts.
  ///   - step: Called after each piece of work.
  package func measure(_ texts: [Text], _ step: () -> Void) throws -> StabilityCertificate {
    var result = depths.map { StabilityCertificate.Depth(recurrence: $0) }
    var losses = [LossSum](repeating: LossSum(), count: depths.count)
    var isLost = [Bool](repeating: false, count: depths.count)
    var courses: [Course] = []
    for text in texts {
      let course = try course(of: text.batch)
      courses.append(course)
      step()
      for (i, depth) in depths.enumerated() {
        if let loss = try loss(text, depth) { losses[i] += loss } else { isLost[i] = true }
        step()
      }
      try derivatives.withCoreDerivative(on: text.batch) { derivative in
        for depth in derivativeDepths {
          if let state = course.states[depth], state.allSatisfy(\.isFinite),
            let radius = try radius(derivative, at: state),
            let i = depths.firstIndex(of: depth)
          {
            result[i].radius = max(result[i].radius ?? 0, radius)
          }
          step()
        }
      }
    }
    for (i, depth) in depths.enumerated() {
      result[i].loss = isLost[i] ? nil : losses[i].mean
      result[i].settling = Self.worst(courses.map { $0.settling[depth - 1] })
      result[i].rootMeanSquare = Self.worst(courses.map { $0.rootMeanSquares[depth - 1] })
    }
    return StabilityCertificate(
      depths: result, windows: texts.count, tokens: losses.first?.count ?? 0)
  }

  private static func worst(_ values: [Double]) -> Double? {
    values.allSatisfy(\.isFinite) ? values.max() : nil
  }

  private func course(of batch: Batch) throws -> Course {
    var course = Course()
    var before: [Float] = []
    var pass = 0
    _ = try model.forward(
      batch, ForwardOptions(recurrence: Self.most + 1, logits: .none)
    ) { state in
      try Interruption.check()
      pass += 1
      let now = state.floats
      if pass > 1 {
        let distance = Distance(now, from: before)
        course.settling.append(distance.isFinite ? distance.relativeNorm : .nan)
      }
      let squares = now.reduce(0.0) { $0 + Double($1) * Double($1) }
      course.rootMeanSquares.append((squares / Double(now.count)).squareRoot())
      if derivativeDepths.contains(pass) { course.states[pass] = now }
      before = now
    }
    return course
  }

  /// Nil where it is no number.
  private func loss(_ text: Text, _ depth: Int) throws -> LossSum? {
    do {
      return try model.loss(text.batch, labels: text.labels, ForwardOptions(recurrence: depth))
    } catch let error as TransformerError where error.problem == .nonFiniteLoss { return nil }
  }

  private func radius(_ derivative: CoreDerivative, at state: [Float]) throws -> Double? {
    derivative.move(to: state)
    return try SpectralRadius(size: state.count, derivative.transposedProduct)?.value
  }
}
