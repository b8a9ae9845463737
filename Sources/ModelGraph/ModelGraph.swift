package import ByteIO
package import JSON
package import Tensors

/// A decoder's architecture as data: which tensors there are, what part each plays, and how its
/// bytes come about.
///
/// A graph describes a source model (`body` is `.plain`) or a recurrent one. Passes are pure
/// functions from graph to graph.
package struct ModelGraph: Equatable, Sendable {
  /// The family's `model_type`, such as `llama` or `olmo2`; for recurrent graphs, the source's.
  package var family: String
  package var sizes: ModelSizes
  package var style: BlockStyle
  package var rotary: RotaryEmbedding
  /// Added to the mean square inside every RMSNorm.
  package var normEpsilon: Double
  /// `[vocabulary, hidden]`.
  package var embedding: Parameter
  /// `[hidden]`.
  package var finalNorm: Parameter
  /// `[vocabulary, hidden]`; nil when the head is the embedding.
  package var head: Parameter?
  package var body: Body
  /// The configuration in Hugging Face form, as it was read.
  package var config: JSONObject
  /// What was dropped, renamed or passed over when the graph was read, for the user to see.
  package var notes: [Warning] = []

  package init(
    family: String, sizes: ModelSizes, style: BlockStyle, rotary: RotaryEmbedding,
    normEpsilon: Double, embedding: Parameter, finalNorm: Parameter, head: Parameter?, body: Body,
    config: JSONObject
  ) {
    self.family = family
    self.sizes = sizes
    self.style = style
    self.rotary = rotary
    self.normEpsilon = normEpsilon
    self.embedding = embedding
    self.finalNorm = finalNorm
    self.head = head
    self.body = body
    self.config = config
  }

  package enum Body: Equatable, Sendable {
    /// Every block once, in order.
    case plain([Block])
    case recurrent(RecurrentBody)
  }

  /// Blocks in order of first execution.
  package var blocks: [Block] {
    switch body {
    case .plain(let blocks): blocks
    case .recurrent(let body): body.prelude + body.core + body.coda
    }
  }

  /// The recurrent body; nil for a source model.
  package var recurrence: RecurrentBody? {
    if case .recurrent(let body) = body { body } else { nil }
  }

  /// All parameters: embedding, blocks, adapter, final norm, head.
  package var parameters: [Parameter] {
    var all = [embedding] + blocks.flatMap { $0.parameters.map(\.parameter) }
    if let recurrence {
      if let adapter = recurrence.adapter { all.append(adapter) }
      if let norm = recurrence.coreNorm { all.append(norm) }
    }
    all.append(finalNorm)
    if let head { all.append(head) }
    return all
  }
}

/// Extents of a decoder. Letters in shape comments: V vocabulary, h hidden, m intermediate.
package struct ModelSizes: Equatable, Sendable {
  package var vocabulary: Int
  package var hidden: Int
  package var intermediate: Int
  package var heads: Int
  package var keyValueHeads: Int
  /// Width of one head; not always hidden / heads.
  package var headSize: Int
  /// Longest sequence the positions were trained for, in tokens.
  package var context: Int

  package init(
    vocabulary: Int, hidden: Int, intermediate: Int, heads: Int, keyValueHeads: Int, headSize: Int,
    context: Int
  ) {
    self.vocabulary = vocabulary
    self.hidden = hidden
    self.intermediate = intermediate
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headSize = headSize
    self.context = context
  }

  /// Rows of the query projection.
  package var queryWidth: Int { heads * headSize }
  /// Rows of the key projection, and of the value projection.
  package var keyValueWidth: Int { keyValueHeads * headSize }
}

/// What all blocks of a model have in common. The activation is SiLU, the MLP gated.
package struct BlockStyle: Equatable, Sendable {
  package enum NormPlacement: Equatable, Sendable {
    /// x + f(norm x): Llama, Mistral, Qwen.
    case before
    /// x + norm(f x): OLMo-2.
    case after
  }

  package enum QueryKeyNorm: Equatable, Sendable {
    case none
    /// RMSNorm over each head's vector, one scale of `[headSize]`: Qwen3.
    case perHead
    /// RMSNorm over the whole projected vector, before the heads are split: OLMo-2.
    case fullWidth
  }

  package var norms: NormPlacement
  package var queryKeyNorm: QueryKeyNorm
  package var queryKeyValueBias: Bool
  package var outputBias: Bool
  package var mlpBias: Bool

  package init(
    norms: NormPlacement = .before, queryKeyNorm: QueryKeyNorm = .none,
    queryKeyValueBias: Bool = false, outputBias: Bool = false, mlpBias: Bool = false
  ) {
    self.norms = norms
    self.queryKeyNorm = queryKeyNorm
    self.queryKeyValueBias = queryKeyValueBias
    self.outputBias = outputBias
    self.mlpBias = mlpBias
  }
}

/// Rotary position embedding, split-half convention (pairs i and i + headSize/2).
package struct RotaryEmbedding: Equatable, Sendable {
  package enum Scaling: Equatable, Sendable {
    case none
    /// Positions divided by `factor`.
    case linear(factor: Double)
    /// Llama 3.1: low frequencies divided by `factor`, with a smooth band between.
    case llama3(factor: Double, low: Double, high: Double, originalContext: Int)
  }

  /// Base of the frequencies: `theta^(-2i/headSize)`.
  package var theta: Double
  package var scaling: Scaling

  package init(theta: Double, scaling: Scaling = .none) {
    self.theta = theta
    self.scaling = scaling
  }
}

/// One transformer block.
package struct Block: Equatable, Sendable {
  /// Index of the layer in the source model, from 0.
  package var sourceLayer: Int
  /// The tensors, in the order of `BlockRole`.
  package var parameters: [RoleParameter]

  package init(sourceLayer: Int, parameters: [RoleParameter]) {
    self.sourceLayer = sourceLayer
    self.parameters = parameters
  }

  package struct RoleParameter: Equatable, Sendable {
    package var role: BlockRole
    package var parameter: Parameter

    package init(_ role: BlockRole, _ parameter: Parameter) {
      self.role = role
      self.parameter = parameter
    }
  }

  /// The parameter that plays `role`; nil when the block has none.
  package subscript(role: BlockRole) -> Parameter? {
    parameters.first { $0.role == role }?.parameter
  }
}

/// The part a tensor plays in a block. Weights are `[out, in]`.
package enum BlockRole: String, CaseIterable, Sendable {
  case attentionNorm  // [h]
  case query  // [heads * headSize, h]
  case key  // [keyValueHeads * headSize, h]
  case value  // [keyValueHeads * headSize, h]
  case queryKeyValue  // query, key, value by rows
  case queryBias
  case keyBias
  case valueBias
  case queryKeyValueBias
  case queryNorm  // [headSize] or [heads * headSize]
  case keyNorm  // [headSize] or [keyValueHeads * headSize]
  case output  // [h, heads * headSize]
  case outputBias
  case mlpNorm  // [h]
  case gate  // [m, h]
  case up  // [m, h]
  case gateUp  // gate, up by rows
  case gateBias
  case upBias
  case gateUpBias
  case down  // [h, m]
  case downBias
}

/// One named tensor of a graph and the recipe that makes it.
package struct Parameter: Equatable, Sendable {
  package var name: TensorName
  package var shape: [Int]
  /// Type of the result, after the recipe's cast.
  package var type: ElementType
  package var recipe: Recipe

  package init(name: TensorName, shape: [Int], type: ElementType, recipe: Recipe) {
    self.name = name
    self.shape = shape
    self.type = type
    self.recipe = recipe
  }

  package var elementCount: Int { shape.reduce(1, &*) }
}

/// Prelude once, core r times, coda once; the prelude's output e is injected before every pass.
///
/// u = A·[s ; e] or s + e, then s = core(u); state columns first.
package struct RecurrentBody: Equatable, Sendable {
  package enum Injection: String, Equatable, Sendable {
    case linear
    case add
  }

  package var prelude: [Block]
  package var core: [Block]
  package var coda: [Block]
  package var injection: Injection
  /// `[h, 2h]`, state columns first; nil for additive injection.
  package var adapter: Parameter?
  /// `[h]`, an RMSNorm on the state after every core pass; nil for the paper's retrofits.
  package var coreNorm: Parameter?
  package var stateStart: StateStart
  /// Recurrences at test time when none are asked for.
  package var meanRecurrence: Int
  package var meanBackpropDepth: Int

  package init(
    prelude: [Block], core: [Block], coda: [Block], injection: Injection, adapter: Parameter?,
    coreNorm: Parameter?, stateStart: StateStart, meanRecurrence: Int, meanBackpropDepth: Int
  ) {
    self.prelude = prelude
    self.core = core
    self.coda = coda
    self.injection = injection
    self.adapter = adapter
    self.coreNorm = coreNorm
    self.stateStart = stateStart
    self.meanRecurrence = meanRecurrence
    self.meanBackpropDepth = meanBackpropDepth
  }
}

/// How the state s₀ begins.
package enum StateStart: Equatable, Sendable {
  /// Normal, mean 0, truncated at ±3 standard deviations, fresh for each token and channel.
  case normal(standardDeviation: Double)
  case zero
  /// The prelude's output e.
  case embedding
}
