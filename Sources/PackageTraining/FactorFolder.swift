import ByteIO
import JSON
import Kernels
import ModelGraph
import Safetensors
import Tensors
package import Training
package import Transformer

/// The low-rank factors of a run alone, as PEFT reads them: `adapter_config.json` and
/// `adapter_model.safetensors`, float32.
///
/// Names are those of the package's own tensors. Where the package keeps query, key and value as one
/// tensor, their factors become one pair whose rank is the sum of theirs, B being 0 outside its own
/// rows; rank and alpha of such a pair are given by name, so that their quotient stays. A tensor of all
/// experts is one of PEFT's `target_parameters`.
package struct FactorFolder {
  package let network: TrainableModel
  package let settings: TrainingSettings.LoRA

  package init(network: TrainableModel, settings: TrainingSettings.LoRA) {
    self.network = network
    self.settings = settings
  }

  /// Writes the folder `path`, replacing what is there.
  package func write(to path: String) throws {
    let staged = try StagedOutput(
      at: path, isFolder: true, force: true, inputs: [], needed: network.gradients.byteCount)
    let pairs = pairs
    try write(tensors(pairs), to: staged.path("adapter_model.safetensors"))
    var config = try OutputFile(creating: staged.path("adapter_config.json"))
    try config.write(Array((JSONValue.object(self.config(pairs)).text(indent: 2) + "\n").utf8))
    _ = try config.finish()
    try staged.publish()
  }

  /// The factors of one tensor of the package.
  private struct Pair {
    /// The tensor's name without `.weight`.
    var module: String
    /// Of the matrix, or of each expert's.
    var rows: Int
    /// Experts whose matrices the tensor holds; nil for a matrix by itself.
    var experts: Int?
    /// Each with the first of the matrix's rows that it adapts, expert by expert.
    var factors: [(factors: LowRankFactors, row: Int)]

    /// Rank of the matrix, or of each expert's.
    var rank: Int { factors.reduce(0) { $0 + $1.factors.rank } / (experts ?? 1) }
    /// How many matrices that are adapted by themselves it is made of.
    var parts: Int { factors.count / (experts ?? 1) }
  }

  private var pairs: [Pair] {
    var pairs: [Pair] = []
    for factor in network.factors {
      let block = network.graph.blocks[factor.block]
      let own = block.parameters.first { $0.role == factor.role && $0.expert == factor.expert }
      guard case .block(_, let field) = factor.field,
        let parameter = own?.parameter ?? block[field]
      else { continue }
      let module = Self.module(parameter.name)
      let isPacked = parameter.shape.count == 3
      let rows = parameter.shape[isPacked ? 1 : 0]
      let part = (factors: factor, row: own == nil ? factor.rows.lowerBound % rows : 0)
      if let last = pairs.indices.last, pairs[last].module == module {
        pairs[last].factors.append(part)
      } else {
        pairs.append(
          Pair(
            module: module, rows: rows, experts: isPacked ? parameter.shape[0] : nil,
            factors: [part]))
      }
    }
    return pairs
  }

  private static func module(_ name: TensorName) -> String {
    name.string.hasSuffix(".weight") ? String(name.string.dropLast(7)) : name.string
  }

  private func config(_ pairs: [Pair]) -> JSONObject {
    let stacked = pairs.filter { $0.parts > 1 }
    func names(_ pairs: [Pair]) -> JSONValue { .array(pairs.map { .string($0.module) }) }
    func pattern(_ value: (Pair) -> JSONValue) -> JSONValue {
      .object(JSONObject(stacked.map { .init(key: $0.module, value: value($0)) }))
    }
    let whole = network.tensors.filter(\.isTrained).map {
      JSONValue.string(Self.module($0.parameter.name))
    }
    return [
      "peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "fan_in_fan_out": false,
      "inference_mode": true, "r": JSONValue(settings.rank),
      "lora_alpha": JSONValue(settings.alpha),
      "lora_dropout": JSONValue(0.0),
      "target_modules": names(pairs.filter { $0.experts == nil }),
      "target_parameters": names(pairs.filter { $0.experts != nil }),
      "rank_pattern": pattern { JSONValue($0.rank) },
      "alpha_pattern": pattern { JSONValue(settings.alpha * Double($0.parts)) },
      "modules_to_save": whole.isEmpty ? .null : .array(whole),
    ]
  }

  // MARK: Tensors

  private typealias Stored = (name: TensorName, shape: [Int], values: () -> [Float])

  private func tensors(_ pairs: [Pair]) -> [Stored] {
    let prefix = "base_model.model."
    let whole = network.tensors.filter(\.isTrained).map { tensor -> Stored in
      (
        TensorName(prefix + tensor.parameter.name.string), tensor.parameter.shape,
        { network.parameters.floats(tensor.offset..<(tensor.offset + tensor.count)) }
      )
    }
    return whole
      + pairs.flatMap { pair -> [Stored] in
        let columns = pair.factors.first?.factors.columns ?? 0
        let (name, width) = (prefix + place(of: pair, in: pairs), pair.rank * (pair.experts ?? 1))
        return [
          (
            TensorName(name + ".lora_A.weight"), [width, columns],
            { pair.factors.flatMap { $0.factors.a(in: network.parameters).floats } }
          ),
          (TensorName(name + ".lora_B.weight"), [pair.rows, width], { stackedB(pair) }),
        ]
      }
  }

  /// Where PEFT keeps a pair: in the module that it adapts. One for a parameter lies in the module
  /// that has the parameter, the last one outermost.
  private func place(of pair: Pair, in pairs: [Pair]) -> String {
    guard pair.experts != nil else { return pair.module }
    func parent(_ pair: Pair) -> Substring {
      pair.module[..<(pair.module.lastIndex(of: ".") ?? pair.module.startIndex)]
    }
    let nested = pairs.filter { $0.experts != nil && parent($0) == parent(pair) }
    let outer = nested.reversed().prefix { $0.module != pair.module }
    return parent(pair) + String(repeating: ".base_layer", count: outer.count)
  }

  /// `[rows, rank]`, the factors side by side, each in its own rows. Of experts `[rows, rank, E]`.
  private func stackedB(_ pair: Pair) -> [Float] {
    let experts = pair.experts ?? 1
    let width = pair.rank * experts
    var values = [Float](repeating: 0, count: pair.rows * width)
    var column = 0
    for (place, part) in pair.factors.enumerated() {
      if place % pair.parts == 0 { column = 0 }
      let b = part.factors.b(in: network.parameters)
      for row in 0..<b.rows {
        for (i, value) in b.row(row).enumerated() {
          values[(part.row + row) * width + (column + i) * experts + place / pair.parts] = value
        }
      }
      column += part.factors.rank
    }
    return values
  }

  private func write(_ tensors: [Stored], to path: String) throws {
    let layout = try SafetensorsLayout(
      tensors.map { .init(name: $0.name, type: .f32, shape: $0.shape) },
      metadata: [("format", "pt")])
    let byName = Dictionary(
      tensors.map { ($0.name, $0.values) }, uniquingKeysWith: { first, _ in first })
    var output = try OutputFile(creating: path)
    try output.write(layout.header)
    for entry in layout.entries {
      guard let values = byName[entry.tensor.name]?() else { continue }
      try output.write(littleEndian(values.map(\.bitPattern)))
    }
    _ = try output.finish()
  }
}
