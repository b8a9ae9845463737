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
  /// What is computed outside the blocks; each block has a spec of its own.
  package var spec: ModelSpec
  /// `[vocabulary, hidden]`.
  package var embedding: Parameter
  /// `[hidden]`.
  package var finalNorm: Parameter
  /// `[vocabulary, hidden]`; nil when the head is the embedding.
  package var head: Parameter?
  /// Whether the configuration calls the head the embedding. Where a head is stored all the same,
  /// its bytes tell: who opens a checkpoint compares them.
  package var saysTied = false
  package var body: Body
  /// The configuration in Hugging Face form, as it was read.
  package var config: JSONObject
  /// What was dropped, renamed or passed over when the graph was read, for the user to see.
  package var notes: [Warning] = []

  package init(
    family: String, sizes: ModelSizes, spec: ModelSpec, embedding: Parameter, finalNorm: Parameter,
    head: Parameter?, body: Body, config: JSONObject
  ) {
    self.family = family
    self.sizes = sizes
    self.spec = spec
    self.embedding = embedding
    self.finalNorm = finalNorm
    self.head = head
    self.body = body
    self.config = config
  }

  /// Settles what the configuration and a stored head say differently, as transformers 5 does: a
  /// head of other values than the embedding's is the head.
  package mutating func resolveTiedHead(isEmbedding: Bool) {
    guard saysTied, let stored = head else { return }
    let name = stored.name.string
    if isEmbedding {
      head = nil
      notes.append(
        Warning("model.tied_head", "holds the embedding's values, so not copied", tensor: name))
    } else {
      saysTied = false
      notes.append(
        Warning(
          "model.untied_head",
          "differs from the embedding, so it is the head, whatever tie_word_embeddings says",
          tensor: name))
    }
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

  /// The most tokens of a sequence: those of the configuration, or as many as all rotary embeddings
  /// reach.
  package var contextLimit: Int {
    blocks.compactMap { $0.spec.attention.rotary?.reach(context: sizes.context) }.min()
      ?? sizes.context
  }

  /// The recurrent body; nil for a source model.
  package var recurrence: RecurrentBody? {
    if case .recurrent(let body) = body { body } else { nil }
  }

  /// All parameters: embedding, blocks, adapter, final norm, head.
  package var parameters: [Parameter] {
    var all = [embedding] + blocks.flatMap { $0.parameters.map(\.parameter) }
    if let recurrence {
      all += recurrence.injection.ordered.map(\.parameter)
      if let norm = recurrence.coreNorm { all.append(norm) }
      all += recurrence.exitGate
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

/// One transformer block.
package struct Block: Equatable, Sendable {
  /// Index of the layer in the source model, from 0.
  package var sourceLayer: Int
  /// What the block computes; it goes wherever the block goes.
  package var spec: BlockSpec
  /// The tensors, in the order of `BlockRole`.
  package var parameters: [RoleParameter]

  package init(sourceLayer: Int, spec: BlockSpec, parameters: [RoleParameter]) {
    self.sourceLayer = sourceLayer
    self.spec = spec
    self.parameters = parameters
  }

  package struct RoleParameter: Equatable, Sendable {
    package var role: BlockRole
    /// Number of the expert whose it is; nil for what all tokens share.
    package var expert: Int?
    package var parameter: Parameter

    package init(_ role: BlockRole, expert: Int? = nil, _ parameter: Parameter) {
      self.role = role
      self.expert = expert
      self.parameter = parameter
    }
  }

  /// The parameter that plays `role`, the first expert's where each has one; nil when the block has
  /// none.
  package subscript(role: BlockRole) -> Parameter? {
    parameters.first { $0.role == role }?.parameter
  }

  /// Type of the MLP's weights.
  package var weightType: ElementType? {
    (self[.down] ?? self[.expertDown] ?? self[.expertsDown])?.type
  }
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

/// Prelude once, core r times, coda once; the prelude's output e is injected before every pass:
/// s = core(inject(s, e)).
package struct RecurrentBody: Equatable, Sendable {
  package var prelude: [Block]
  package var core: [Block]
  package var coda: [Block]
  package var injection: Injection
  /// `[h]`, an RMSNorm on the state after every core pass; nil for the paper's retrofits.
  package var coreNorm: Parameter?
  package var stateStart: StateStart
  /// Whether the state goes through the model's final norm before the coda: Huginn.
  package var normsLatent = false
  /// What tells after which pass a token may leave; it has no part in what is computed here, and goes
  /// along.
  package var exitGate: [Parameter] = []
  /// Recurrences at test time when none are asked for.
  package var meanRecurrence: Int
  package var meanBackpropDepth: Int

  package init(
    prelude: [Block], core: [Block], coda: [Block], injection: Injection,
    coreNorm: Parameter?, stateStart: StateStart, meanRecurrence: Int, meanBackpropDepth: Int
  ) {
    self.prelude = prelude
    self.core = core
    self.coda = coda
    self.injection = injection
    self.coreNorm = coreNorm
    self.stateStart = stateStart
    self.meanRecurrence = meanRecurrence
    self.meanBackpropDepth = meanBackpropDepth
  }

  /// Whether the final norm takes part in it, so that no package can say what it computes.
  package var meetsFinalNorm: Bool { normsLatent || injection.kind == .carry }

  /// How often a block is executed in `passes` passes, p + c · r + d.
  package func executions(_ passes: Int) -> Int {
    prelude.count + core.count * passes + coda.count
  }

  /// The linear injection's matrix, `[h, 2h]`; nil for other kinds.
  package var adapter: Parameter? { injection.parameters[.adapter] }
}

/// How the state s₀ begins.
package enum StateStart: Equatable, Sendable {
  /// Normal, mean 0, truncated at ±3 standard deviations, fresh for each token and channel.
  case normal(standardDeviation: Double)
  case zero
  /// The prelude's output e.
  case embedding
}
