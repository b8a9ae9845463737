package import JSON
package import Tensors

/// How the weights of a model that nobody has trained are drawn.
package struct UntrainedWeights: Equatable, Sendable {
  /// Decides every weight; two tensors of one model never get the same numbers.
  package var seed: UInt64
  package var type: ElementType

  package init(seed: UInt64, type: ElementType = .f32) {
    self.seed = seed
    self.type = type
  }

  /// Standard deviation where a configuration states none, as in the classes of transformers.
  private static let deviation = 0.02
  /// Says in a configuration how wide weights start.
  private static let field = "initializer_range"

  /// Most layers, and most experts of one: names are made one by one, with no file that limits them.
  static let mostLayers = 1024
  static let mostExperts = 512

  /// The standard deviation of matrices under `config`.
  package func deviation(_ config: JSONObject) throws(ModelGraphError) -> Double {
    var reader = ConfigReader(config)
    return try reader.positive(Self.field) ?? Self.deviation
  }
}

extension ModelGraph {
  /// The source model that `config` describes, with weights drawn at random: matrices normal, with the
  /// configuration's `initializer_range` as standard deviation, truncated at three of them; norms the
  /// identity; biases zero.
  ///
  /// - Parameter ignored: Fields that the user says have no effect.
  package static func untrained(
    config: JSONObject, _ weights: UntrainedWeights, ignoring ignored: Set<String> = []
  ) throws(ModelGraphError) -> ModelGraph {
    let part = try TextPart(config, ignoring: ignored)
    let text = part?.config ?? config
    var reader = GraphReader(
      table: try TensorTable([]), ignored: ignored, otherParts: [], isUntrained: true)
    var graph = try reader.graph(text, tensorCount: UntrainedWeights.mostLayers)
    guard graph.recurrence == nil else {
      throw ModelGraphError(
        .invalidValue(
          field: "model_type", value: graph.config["model_type"]?.string ?? graph.family,
          rule: "a source model's; make its recurrent form with ckpt retrofit"))
    }
    let deviation = Float(try weights.deviation(text))
    let seeds = RandomStream(seed: weights.seed, stream: 0x696E_6974_0000_0000)  // "init"
    var count: UInt64 = 0
    func start(_ parameter: inout Parameter, norm: NormSpec?) {
      parameter.type = weights.type
      let initialiser: Initialiser =
        if let norm { norm.offset == 0 ? .ones : .zeros } else if parameter.shape.count == 1 {
          .zeros
        } else { .normal(standardDeviation: deviation, seed: seeds[count]) }
      parameter.recipe = Recipe(.initialised(initialiser), as: weights.type)
      count += 1
    }
    start(&graph.embedding, norm: nil)
    start(&graph.finalNorm, norm: graph.spec.finalNorm)
    if var head = graph.head {
      start(&head, norm: nil)
      graph.head = head
    }
    var blocks = graph.blocks
    for i in blocks.indices {
      for j in blocks[i].parameters.indices {
        let role = blocks[i].parameters[j].role
        start(&blocks[i].parameters[j].parameter, norm: blocks[i].spec.norm(of: role))
      }
    }
    graph.body = .plain(blocks)
    return graph
  }
}

extension BlockSpec {
  /// The norm whose weight `role` is; nil for other roles.
  fileprivate func norm(of role: BlockRole) -> NormSpec? {
    if let place = role.facts.place { return norm(place) }
    return role.facts.isNorm ? attention.queryKeyNorm?.spec : nil
  }
}
