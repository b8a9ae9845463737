/// How parameters are updated; the defaults are the paper's main runs.
package struct OptimizerSettings: Equatable, Sendable {
  package enum Kind: String, CaseIterable, Sendable {
    /// Muon for the body's matrices, AdamW for embedding, head, norms and biases.
    case muon
    case adamw
    /// AdamW*: an atan2 update, clipped by its RMS, with moments started at the first gradient.
    case adamwAtan2 = "adamw-atan2"
  }

  package var kind: Kind
  package var muon = Muon()
  /// For all parameters, or under Muon for those that it does not take.
  package var adam: Adam
  /// Largest norm of all gradients together; 0 leaves them as they are.
  package var clip = 1.0

  package init(_ kind: Kind) {
    self.kind = kind
    adam = Adam()
    if kind == .muon { adam.epsilon = 1e-10 }
  }

  /// Orthogonalised momentum (Jordan et al., 2024).
  package struct Muon: Equatable, Sendable {
    package var learningRate = 1e-3
    package var momentum = 0.95
    package var weightDecay = 1e-4
    package var isNesterov = true

    package init() {}
  }

  /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
  package struct Adam: Equatable, Sendable {
    package var learningRate = 5e-5
    package var beta1 = 0.9
    package var beta2 = 0.95
    package var epsilon = 1e-8
    package var weightDecay = 1e-4

    package init() {}
  }

  /// Whether Muon updates the tensor, and not Adam.
  func takesMuon(_ tensor: TrainedTensor) -> Bool {
    kind == .muon && tensor.isBodyMatrix && tensor.shape.count == 2
  }

  /// The rate that a run's log shows: that of most parameters.
  package var mainLearningRate: Double {
    kind == .muon ? muon.learningRate : adam.learningRate
  }
}

/// A tensor that is trained: where it lies in the flat buffers, and how it is updated.
package struct TrainedTensor: Equatable, Sendable {
  package var name: String
  package var shape: [Int]
  /// Position of its first element in the flat buffers of parameters and gradients.
  package var offset: Int
  /// Whether Muon takes it: a matrix of the body, the adapter included.
  package var isBodyMatrix: Bool

  package init(name: String, shape: [Int], offset: Int, isBodyMatrix: Bool) {
    self.name = name
    self.shape = shape
    self.offset = offset
    self.isBodyMatrix = isBodyMatrix
  }

  package var elementCount: Int { shape.reduce(1, &*) }
}
