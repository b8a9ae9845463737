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
/// rows; rank and alpha of such a pair are given by name, so that their quotient stays.
package struct FactorFolder {
  package let network: TrainableModel
  package let settings: TrainingSettings.LoRA

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
    var rows: Int
    /// Each with the first of the tensor's rows that it adapts.
    var factors: [(factors: LowRankFactors, row: Int)]

    var rank: Int { factors.reduce(0) { $0 + $1.factors.rank } }
  }

  private var pairs: [Pair] {
    var pairs: [Pair] = []
    for factor in network.factors {
      let block = network.graph.blocks[factor.block]
      let own = block[factor.role]
      guard case .block(_, let field) = factor.field, let parameter = own ?? block[field] else {
        continue
      }
      let module = Self.module(parameter.name)
      let part = (factors: factor, row: own == nil ? factor.rows.lowerBound : 0)
      if let last = pairs.indices.last, pairs[last].module == module {
        pairs[last].factors.append(part)
      } else {
        pairs.append(Pair(module: module, rows: parameter.shape[0], factors: [part]))
      }
    }
    return pairs
  }

  private static func module(_ name: TensorName) -> String {
    name.string.hasSuffix(".weight") ? String(name.string.dropLast(7)) : name.string
  }

  private func config(_ pairs: [Pair]) -> JSONObject {
    let stacked = pairs.filter { $0.factors.count > 1 }
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
      "target_modules": .array(pairs.map { .string($0.module) }),
      "rank_pattern": pattern { JSONValue($0.rank) },
      "alpha_pattern": pattern { JSONValue(settings.alpha * Double($0.factors.count)) },
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
        return [
          (
            TensorName(prefix + pair.module + ".lora_A.weight"), [pair.rank, columns],
            { pair.factors.flatMap { $0.factors.a(in: network.parameters).floats } }
          ),
          (
            TensorName(prefix + pair.module + ".lora_B.weight"), [pair.rows, pair.rank],
            { stackedB(pair) }
          ),
        ]
      }
  }

  /// `[rows, rank]`, the factors side by side, each in its own rows.
  private func stackedB(_ pair: Pair) -> [Float] {
    var values = [Float](repeating: 0, count: pair.rows * pair.rank)
    var column = 0
    for (factors, first) in pair.factors {
      let b = factors.b(in: network.parameters)
      for row in 0..<b.rows {
        for (i, value) in b.row(row).enumerated() {
          values[(first + row) * pair.rank + column + i] = value
        }
      }
      column += factors.rank
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
