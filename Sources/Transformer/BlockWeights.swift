package import Kernels
import ModelGraph
import Tensors

/// The weights of one block, or their gradients, with the constants of its spec. Norms and biases are
/// float32.
package struct BlockWeights: Sendable {
  package let shape: AttentionShape
  /// Keys that a query sees at most; nil for all.
  let window: Int?
  /// Number of its rotary embedding in the network; nil where it knows no positions.
  let rotation: Int?
  let activation: ActivationKind
  /// Factor on what attention and MLP add to the stream.
  let residual: Float

  package let attentionNorm: Norm?  // [1, h]
  package let queryKeyValue: Weight  // [W, h]
  package let queryKeyValueBias: Matrix?  // [1, W]
  package let queryKeyBias: Matrix?  // [1, query and key width]
  package let queryNorm: Norm?  // [1, headSize] or [1, heads * headSize]
  package let keyNorm: Norm?  // [1, headSize] or [1, keyValueHeads * headSize]
  package let output: Weight  // [h, heads * headSize]
  package let outputBias: Matrix?  // [1, h]
  package let attentionOutputNorm: Norm?  // [1, h]
  package let attentionSumNorm: Norm?  // [1, h]
  package let mlpNorm: Norm?  // [1, h]
  /// What chooses among the experts, whose matrices then stand in `gateUp` and `down` one after
  /// another; nil where one MLP serves all tokens.
  package let experts: ExpertWeights?
  package let gateUp: Weight  // [2m, h]; with experts [E * 2m, h]
  package let gateUpBias: Matrix?  // [1, 2m]
  package let down: Weight  // [h, m]; with experts [E * h, m]
  package let downBias: Matrix?  // [1, h]
  package let mlpOutputNorm: Norm?  // [1, h]
  package let mlpSumNorm: Norm?  // [1, h]

  /// - Parameters:
  ///   - rotation: Number of the block's rotary embedding.
  ///   - weight: The weights of a role; nil when there are none.
  init(
    _ spec: BlockSpec, _ sizes: ModelSizes, rotation: Int?, weight: (BlockRole) -> Weight?
  ) throws(TransformerError) {
    func matrix(_ role: BlockRole) throws(TransformerError) -> Weight {
      guard let weight = weight(role) else {
        throw TransformerError(.missingParameter(role: role.rawValue))
      }
      return weight
    }
    func vector(_ role: BlockRole, if isNeeded: Bool) throws(TransformerError) -> Matrix? {
      guard isNeeded else { return nil }
      guard let vector = try matrix(role).matrix else {
        throw TransformerError(.missingParameter(role: role.rawValue))
      }
      return vector
    }
    func norm(_ role: BlockRole, _ spec: NormSpec?) throws(TransformerError) -> Norm? {
      guard let spec, let vector = try vector(role, if: true) else { return nil }
      return Norm(vector, spec)
    }
    let attention = spec.attention
    shape = AttentionShape(
      heads: sizes.heads, keyValueHeads: sizes.keyValueHeads, headSize: sizes.headSize,
      scale: Float(attention.scale), softcap: Float(attention.softcap ?? 0))
    window = if case .window(let width) = attention.visible { width } else { nil }
    self.rotation = rotation
    activation = ActivationKind(spec.mlp.activation)
    residual = Float(spec.residualMultiplier)
    attentionNorm = try norm(.attentionNorm, spec.norm(.attentionInput))
    queryKeyValue = try matrix(.queryKeyValue)
    queryKeyValueBias = try vector(.queryKeyValueBias, if: attention.queryKeyValueBias)
    queryKeyBias = try vector(.queryKeyBias, if: attention.queryKeyBias)
    queryNorm = try norm(.queryNorm, attention.queryKeyNorm?.spec)
    keyNorm = try norm(.keyNorm, attention.queryKeyNorm?.spec)
    output = try matrix(.output)
    outputBias = try vector(.outputBias, if: attention.outputBias)
    attentionOutputNorm = try norm(.attentionOutputNorm, spec.norm(.attentionOutput))
    attentionSumNorm = try norm(.attentionSumNorm, spec.norm(.attentionSum))
    mlpNorm = try norm(.mlpNorm, spec.norm(.mlpInput))
    experts = try spec.mlp.experts.map { (experts) throws(TransformerError) in
      ExpertWeights(experts, router: try matrix(.router))
    }
    gateUp = try matrix(experts == nil ? .gateUp : .expertsGateUp)
    gateUpBias = try vector(.gateUpBias, if: spec.mlp.bias)
    down = try matrix(experts == nil ? .down : .expertsDown)
    downBias = try vector(.downBias, if: spec.mlp.bias)
    mlpOutputNorm = try norm(.mlpOutputNorm, spec.norm(.mlpOutput))
    mlpSumNorm = try norm(.mlpSumNorm, spec.norm(.mlpSum))
  }
}

extension ActivationKind {
  fileprivate init(_ activation: Activation) {
    switch activation {
    case .silu: self = .silu
    case .gelu: self = .gelu
    case .geluTanh: self = .geluTanh
    }
  }
}
