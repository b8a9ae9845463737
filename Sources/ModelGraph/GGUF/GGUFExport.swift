package import ByteIO
package import JSON
package import Tensors

/// A plain model in the terms of GGUF: the hyper-parameters, and the tensors under their names and
/// in their row order there.
package struct GGUFExport: Sendable {
  /// Keys and values without the tokenizer; numbers with a fraction or exponent are float32, others
  /// unsigned.
  package let metadata: JSONObject
  /// Tensors in file order.
  package let tensors: [Tensor]
  /// Float32 tensors that come from no source: factors of rotary frequencies.
  package let constants: [Constant]
  /// What some readers do not know.
  package let warnings: [Warning]

  package struct Tensor: Equatable, Sendable {
    /// What it is made of, a row of it a row of matrices.
    package var parameter: Parameter
    /// As the file has it: `[E, rows, columns]` for the matrices of all experts.
    package var shape: [Int]
    /// Whether readers want float32, whatever the matrices are: vectors, and what chooses experts.
    package var isSingle: Bool

    package init(parameter: Parameter, shape: [Int], isSingle: Bool) {
      self.parameter = parameter
      self.shape = shape
      self.isSingle = isSingle
    }
  }

  package struct Constant: Equatable, Sendable {
    package var name: TensorName
    package var values: [Float]
  }

  /// What is written is read again, and must be the same model up to float32; what has no words in the
  /// family's files is found so.
  ///
  /// - Throws: `ModelGraphError` for a recurrent model, which no reader of GGUF knows, and for one that
  ///   computes what its family's files cannot say.
  package init(_ graph: ModelGraph) throws {
    guard case .plain(let blocks) = graph.body else {
      throw ModelGraphError(.notInGGUF("a core that recurs"))
    }
    guard let dialect = GGUFDialect(modelType: graph.family) else {
      throw ModelGraphError(.notWrittenAsGGUF(graph.config["model_type"]?.string ?? graph.family))
    }
    guard graph.head == nil || dialect.facts.hasHead else {
      throw ModelGraphError(
        .notInGGUF("a head that is not the embedding, in a model of \(dialect.architecture)"))
    }
    let model = GGUFModel(graph: graph, blocks: blocks)
    var tensors = [try dialect.tensor(graph.embedding, GGUFDialect.embedding)]
    for (index, block) in blocks.enumerated() {
      for role in block.spec.roles(fused: dialect.fused) {
        tensors.append(try dialect.tensor(role, of: block, index, graph.sizes))
      }
    }
    tensors.append(try dialect.tensor(graph.finalNorm, GGUFDialect.finalNorm, isNorm: true))
    if let head = graph.head { tensors.append(try dialect.tensor(head, GGUFDialect.head)) }
    self.tensors = tensors
    constants = Self.constants(model)
    var entries = GGUFEntries(stated: dialect.facts.stated)
    for field in GGUFField.common + dialect.facts.fields { field.write(model, &entries) }
    warnings = entries.warnings
    metadata = Self.metadata(model, entries.members, dialect.architecture)
    try check(model)
  }

  private static func constants(_ model: GGUFModel) -> [Constant] {
    func constant(_ name: String, _ values: [Double]) -> Constant {
      Constant(name: TensorName(name), values: values.map { Float($0) })
    }
    guard let rotary = model.rotary else { return [] }
    switch rotary.scaling {
    case .llama3:
      let factors = GGUFRotary.factors(rotary, headSize: model.sizes.headSize)
      return [constant(GGUFDialect.rotaryFactors, factors)]
    case .longRoPE(let rope):
      return [
        constant(GGUFDialect.longFactors, rope.long),
        constant(GGUFDialect.shortFactors, rope.short),
      ]
    default: return []
    }
  }

  private static func metadata(
    _ model: GGUFModel, _ hyperparameters: JSONObject, _ architecture: String
  ) -> JSONObject {
    var metadata: JSONObject = [
      "general.architecture": .string(architecture), "general.type": "model",
    ]
    for member in hyperparameters.members {
      metadata[architecture + "." + member.key] = member.value
    }
    for (name, key) in GGUFHyperparameters.specialTokens {
      guard let value = model.graph.config[name] else { continue }
      // Several end tokens are a list in a configuration; GGUF has room for one.
      if let id = (value.array?.first ?? value).integer {
        metadata["tokenizer.ggml." + key] = JSONValue(id)
      }
    }
    return metadata
  }

  /// Reads all of it as a file would be read, and compares what is computed.
  private func check(_ model: GGUFModel) throws {
    let stored =
      tensors.map { ($0.parameter.name, $0.shape) } + constants.map { ($0.name, [$0.values.count]) }
    let records = stored.map { name, shape in
      TensorRecord(
        name: name, type: .element(.f32), shape: shape, byteCount: 4 * shape.reduce(1, &*),
        file: "", offset: nil)
    }
    let again: Architecture
    do {
      let translation = try GGUFTranslation(metadata: metadata, tensors: records) { name in
        constants.first { $0.name == name }?.values ?? []
      }
      var reader = GraphReader(
        table: try TensorTable(translation.parameters), ignored: [], otherParts: [])
      again = try reader.architecture(translation.config, tensorCount: records.count)
    } catch let error as ModelGraphError {
      throw ModelGraphError(.notInGGUF("this model of \(model.graph.family): \(error.message)"))
    }
    if let difference = again.difference(from: model) {
      throw ModelGraphError(
        .notInGGUF(
          "\(difference.path) = \(difference.wanted?.text() ?? "nothing") in a model of "
            + "\(model.graph.family); its files mean \(difference.stated?.text() ?? "nothing")"))
    }
  }
}

// MARK: Tensors

extension GGUFDialect {
  /// A tensor of its own under the name that the file has for it.
  fileprivate func tensor(
    _ parameter: Parameter, _ name: String, isNorm: Bool = false
  ) throws(ModelGraphError) -> GGUFExport.Tensor {
    var tensor = GGUFExport.Tensor(
      parameter: parameter, shape: parameter.shape, isSingle: parameter.shape.count == 1)
    tensor.parameter.name = TensorName(name)
    if isNorm { tensor.parameter.recipe.offset += facts.normOffset }
    if tensor.isSingle {
      tensor.parameter.type = .f32
      tensor.parameter.recipe.type = .f32
    }
    return tensor
  }

  /// The tensor that plays `role` in block `index` of the file.
  fileprivate func tensor(
    _ role: BlockRole, of block: Block, _ index: Int, _ sizes: ModelSizes
  ) throws(ModelGraphError) -> GGUFExport.Tensor {
    guard let parameter = role.isOfExperts ? block.stacked(role) : block.part(role, sizes) else {
      throw ModelGraphError(.notInGGUF("\(role.rawValue) of layer \(index), as it is made"))
    }
    var tensor = try tensor(
      parameter, "blk.\(index).\(role.facts.gguf)", isNorm: role.facts.isNorm)
    if role.isOfExperts, let experts = block.spec.mlp.experts {
      tensor.shape = [experts.count] + block.spec.shape(of: role, sizes)
    }
    if role == .router {
      tensor.isSingle = true
      tensor.parameter.type = .f32
      tensor.parameter.recipe.type = .f32
    }
    if isInterleaved(role) {
      tensor.parameter.recipe = try Self.interleaved(parameter, headSize: sizes.headSize)
      if tensor.isSingle { tensor.parameter.recipe.type = .f32 }
    }
    return tensor
  }

  /// The same rows in the order of interleaved RoPE.
  private static func interleaved(
    _ parameter: Parameter, headSize: Int
  ) throws(ModelGraphError) -> Recipe {
    guard case .rows(let parts) = parameter.recipe.content else { return parameter.recipe }
    var result: [RowSource] = []
    for part in parts {
      let isWhole = part.rows.lowerBound % headSize == 0 && part.rows.count % headSize == 0
      var part = part
      switch part.order {
      case .stored where isWhole: part.order = .interleaved(headSize: headSize)
      case .splitHalves(headSize) where isWhole: part.order = .stored
      default: throw ModelGraphError(.leftoverTensors([parameter.name.string]))
      }
      result.append(part)
    }
    return Recipe(.rows(result), as: parameter.recipe.type)
  }
}

extension Block {
  /// The tensor that plays `role`: as it is, as rows of a fused one, or made of its parts.
  fileprivate func part(_ role: BlockRole, _ sizes: ModelSizes) -> Parameter? {
    if let whole = self[role] { return whole }
    guard let fused = role.facts.fusedInto, let whole = self[fused] else {
      let parts = role.parts.compactMap { self[$0] }
      return parts.count == role.parts.count ? Parameter.joined(parts) : nil
    }
    var start = 0
    for part in fused.parts {
      let count = spec.shape(of: part, sizes)[0]
      if part == role { return whole.rows(start..<(start + count)) }
      start += count
    }
    return nil
  }

  /// The matrices of all experts that play `role`, one below another.
  fileprivate func stacked(_ role: BlockRole) -> Parameter? {
    guard let packed = role.facts.fusedInto, let whole = self[packed] else {
      let matrices = parameters.filter { $0.role == role }
      return Parameter.joined(
        matrices.sorted { ($0.expert ?? 0) < ($1.expert ?? 0) }.map(\.parameter))
    }
    guard let place = packed.parts.firstIndex(of: role),
      let matrices = whole.separated(into: packed.parts.count)
    else { return nil }
    return Parameter.joined(
      stride(from: place, to: matrices.count, by: packed.parts.count).map { matrices[$0] })
  }
}

extension Architecture {
  /// What `model` computes otherwise than this, up to float32. The loss that balances experts is
  /// training's alone.
  fileprivate func difference(from model: GGUFModel) -> JSONValue.Difference? {
    for (layer, (stated, block)) in zip(blocks, model.blocks).enumerated() {
      var wanted = block.spec
      wanted.mlp.experts?.balance = stated.mlp.experts?.balance ?? 0
      let path = "layers.\(layer)"
      if let difference = wanted.difference(from: stated, sizes, at: path) { return difference }
    }
    if let difference = model.graph.spec.difference(from: spec, at: "model") { return difference }
    guard sizes == model.sizes, blocks.count == model.blocks.count else {
      return .init(path: "sizes", wanted: .string("\(model.sizes)"), stated: .string("\(sizes)"))
    }
    return nil
  }
}
