/// What one block computes: every number that enters it, and nothing that belongs to another block.
///
/// x is the residual stream, m the residual multiplier; the norms stand where `norms` puts them:
///
///     x = norm(x + m · norm(attention(norm(x))))
///     x = norm(x + m · norm(mlp(norm(x))))
package struct BlockSpec: Hashable, Sendable {
  package var attention: AttentionSpec
  package var mlp: MLPSpec
  /// In order of execution, at most one a place.
  package var norms: [BlockNorm]
  /// Factor on what attention and MLP add to the stream.
  package var residualMultiplier: Double

  package init(
    attention: AttentionSpec, mlp: MLPSpec, norms: [BlockNorm], residualMultiplier: Double = 1
  ) {
    self.attention = attention
    self.mlp = mlp
    self.norms = norms
    self.residualMultiplier = residualMultiplier
  }

  /// The norm at `place`; nil where the block has none.
  package func norm(_ place: BlockNorm.Place) -> NormSpec? {
    norms.first { $0.place == place }?.spec
  }
}

/// An RMSNorm: `y = (offset + weight) · x / √(mean(x²) + epsilon)`.
package struct NormSpec: Hashable, Sendable {
  /// Added to the stored weight: 1 in families that store how far it is from one, else 0.
  package var offset: Double
  /// Added to the mean square, before the root.
  package var epsilon: Double

  package init(epsilon: Double, offset: Double = 0) {
    self.offset = offset
    self.epsilon = epsilon
  }
}

/// A norm of a block, and where it stands.
package struct BlockNorm: Hashable, Sendable {
  package enum Place: String, CaseIterable, Sendable {
    /// On what attention reads: Llama, Mistral, Qwen.
    case attentionInput
    /// On what attention gives, before it is added to the stream: OLMo-2, Gemma.
    case attentionOutput
    /// On the stream, after attention was added: Huginn.
    case attentionSum
    /// On what the MLP reads.
    case mlpInput
    /// On what the MLP gives, before it is added to the stream.
    case mlpOutput
    /// On the stream, after the MLP was added.
    case mlpSum

    /// Before and after each half.
    static let sandwich: [Place] = [.attentionInput, .attentionOutput, .mlpInput, .mlpOutput]
  }

  package var place: Place
  package var spec: NormSpec

  package init(_ place: Place, _ spec: NormSpec) {
    self.place = place
    self.spec = spec
  }
}

/// Causal attention of grouped heads.
package struct AttentionSpec: Hashable, Sendable {
  /// The keys that a query sees, of those that are not after it.
  package enum Visible: Hashable, Sendable {
    case all
    /// The last n, its own among them.
    case window(Int)
  }

  package var visible: Visible
  /// How positions turn queries and keys; nil where the block knows no positions.
  package var rotary: RotaryEmbedding?
  /// Factor on the product of a query and a key; most often 1/√headSize.
  package var scale: Double
  /// Scores become `softcap · tanh(score / softcap)`, after the scale; nil leaves them.
  package var softcap: Double?
  package var queryKeyNorm: QueryKeyNorm?
  package var queryKeyValueBias: Bool
  /// One bias for queries and keys alone: Huginn.
  package var queryKeyBias = false
  package var outputBias: Bool

  package init(
    rotary: RotaryEmbedding?, scale: Double, visible: Visible = .all, softcap: Double? = nil,
    queryKeyNorm: QueryKeyNorm? = nil, queryKeyValueBias: Bool = false, outputBias: Bool = false
  ) {
    self.visible = visible
    self.rotary = rotary
    self.scale = scale
    self.softcap = softcap
    self.queryKeyNorm = queryKeyNorm
    self.queryKeyValueBias = queryKeyValueBias
    self.outputBias = outputBias
  }
}

/// An RMSNorm of queries and keys, before they are turned.
package struct QueryKeyNorm: Hashable, Sendable {
  package enum Extent: Hashable, Sendable {
    /// Over each head's vector, one weight of `[headSize]`: Qwen3, Gemma-3.
    case head
    /// Over the whole projected vector, before the heads are split: OLMo-2.
    case all
  }

  package var extent: Extent
  package var spec: NormSpec

  package init(_ extent: Extent, _ spec: NormSpec) {
    self.extent = extent
    self.spec = spec
  }
}

/// A gated MLP: `down · (activation(gate · x) ∘ (up · x))`; or several, of which a router chooses.
package struct MLPSpec: Hashable, Sendable {
  package var activation: Activation
  package var bias: Bool
  /// Nil where there is one MLP for all tokens.
  package var experts: ExpertSpec?

  package init(activation: Activation = .silu, bias: Bool = false, experts: ExpertSpec? = nil) {
    self.activation = activation
    self.bias = bias
    self.experts = experts
  }
}

package enum Activation: String, CaseIterable, Sendable {
  /// x · sigmoid(x).
  case silu
  /// x · Φ(x) with the normal distribution's Φ by the error function.
  case gelu
  /// The same with Φ by a hyperbolic tangent (Hendrycks and Gimpel 2016, section 2).
  case geluTanh
}

/// What a model computes outside its blocks.
package struct ModelSpec: Hashable, Sendable {
  /// Factor on the embedding's rows as they enter the first block.
  package var embeddingMultiplier: Double
  package var finalNorm: NormSpec
  /// The head's results are divided by this.
  package var logitsDivisor: Double
  /// Logits become `softcap · tanh(logit / softcap)`; nil leaves them.
  package var logitSoftcap: Double?

  package init(
    finalNorm: NormSpec, embeddingMultiplier: Double = 1, logitsDivisor: Double = 1,
    logitSoftcap: Double? = nil
  ) {
    self.embeddingMultiplier = embeddingMultiplier
    self.finalNorm = finalNorm
    self.logitsDivisor = logitsDivisor
    self.logitSoftcap = logitSoftcap
  }
}
