import ByteIO
import JSON
import Tensors

/// A way to store weights as codes, of which the configuration tells by name.
protocol QuantisedFormat {
  /// Its `quant_method`.
  static var method: String { get }
  /// Fields that a configuration may have, separated by spaces.
  static var fields: String { get }
  /// The only values of some of them, where they are there.
  static var only: [String: [JSONValue]] { get }

  /// Finds the weights among the stored tensors, and checks types and shapes of all they need.
  ///
  /// - Parameter settings: With no other fields and values than these.
  /// - Throws: `UnreadVariant` for what is not decoded, `QuantisationError` where configuration and
  ///   tensors do not fit.
  static func weights(
    _ settings: QuantisationSettings, _ stored: StoredTensors
  ) throws -> QuantisedTensors
}

/// What a format found.
struct QuantisedTensors {
  var weights: [QuantisedWeight] = []
  /// Tensors that only say how activations were quantised, for which weights have no use.
  var activationScales: [TensorName] = []
  /// Modules that the configuration leaves out.
  var leftOut: [String] = []
}

/// What a checkpoint shows of tensors that its files may hold as codes.
struct QuantisationPlan {
  private(set) var config: JSONObject?
  private(set) var tensors: [TensorRecord]
  private(set) var weights: [TensorName: QuantisedWeight] = [:]
  private(set) var operands: Set<TensorName> = []
  private(set) var dequantised: Dequantisation?
  private(set) var refused: Quantisation?
  private(set) var warnings: [Warning] = []

  private static var formats: [any QuantisedFormat.Type] {
    [
      FP8Format.self, CompressedTensorsFormat.self, MXFP4Format.self, GPTQFormat.self,
      AWQFormat.self,
    ]
  }

  /// - Parameter config: The folder's `config.json`.
  init(_ config: JSONObject?, _ stored: StoredTensors) throws {
    self.config = config
    tensors = stored.records
    guard let config, let method = Self.statedMethod(config) else {
      refused = Quantisation(names: stored.records)
      return
    }
    guard let fields = config["quantization_config"]?.object,
      let format = Self.formats.first(where: { $0.method == method })
    else {
      refused = Quantisation(method: method)
      return
    }
    let stated = config["dtype"] ?? config["torch_dtype"]
    let settings = QuantisationSettings(
      fields, path: stored.path, modelType: stated?.string.flatMap(ElementType.init(torch:)))
    do {
      try settings.check(format.fields, only: format.only)
      try take(try format.weights(settings, stored), method, stored)
    } catch let unread as UnreadVariant {
      refused = Quantisation(method: method, tensor: unread.tensor, variant: unread.variant)
    }
  }

  /// Whether a folder's file tells of the quantisation that is decoded, and of nothing else.
  func describes(_ name: String) -> Bool {
    dequantised != nil
      && ["quantize_config.json", "quant_config.json", "hf_quant_config.json"].contains(name)
  }

  /// What Hugging Face's `quantization_config` says, or MLX's `quantization`, which its converter also
  /// writes under the other name.
  private static func statedMethod(_ config: JSONObject) -> String? {
    for config in [config, config["text_config"]?.object].compactMap(\.self) {
      let stated = [config["quantization_config"], config["compression_config"]]
        .compactMap(\.self).first { !$0.isNull }
      if let method = stated?["quant_method"]?.string { return method }
      if let own = config["quantization"], !own.isNull { return "mlx" }
      if stated != nil { return "of an unnamed kind" }
    }
    return nil
  }

  private mutating func take(
    _ found: QuantisedTensors, _ method: String, _ stored: StoredTensors
  ) throws(QuantisationError) {
    func refuse(_ problem: QuantisationError.Problem, _ name: TensorName?) -> QuantisationError {
      QuantisationError(problem, path: stored.path, tensor: name)
    }
    guard !found.weights.isEmpty else { throw refuse(.noCodes(method: method), nil) }
    let leftOut = Set(found.leftOut.map { ExactString($0) })
    for weight in found.weights {
      let name = weight.record.name
      let module = weight.module
      if leftOut.contains(module) { throw refuse(.leftOut(module.string), name) }
      operands.formUnion(weight.operands)
      weights[name] = weight
    }
    operands.formUnion(found.activationScales)
    let codes = Dictionary(found.weights.map { ($0.codes, $0.record) }) { first, _ in first }
    tensors = []
    for record in stored.records {
      if let decoded = codes[record.name] {
        tensors.append(decoded)
      } else if !operands.contains(record.name) {
        if weights[record.name] != nil { throw refuse(.taken, record.name) }
        if Self.isOperand(record.name.string) { throw refuse(.orphan, record.name) }
        tensors.append(record)
      }
    }
    config?["quantization_config"] = nil
    dequantised = Dequantisation(method: method, found.weights)
    if !found.activationScales.isEmpty {
      warnings.append(
        Warning(
          "quantised.activations",
          "\(found.activationScales.count) scales of activations are left out: activations are "
            + "computed as they are", file: stored.path))
    }
  }

  /// Whether a tensor has a name that only scales and their like have.
  private static func isOperand(_ name: String) -> Bool {
    [
      "_scale_inv", ".weight_scale", ".weight_zero_point", ".weight_g_idx", ".weight_packed",
      ".weight_shape", ".qweight", ".qzeros", ".g_idx", ".weight_global_scale",
    ].contains { name.hasSuffix($0) }
  }
}

extension Dequantisation {
  init(method: String, _ weights: [QuantisedWeight]) {
    var counts: [(name: String, type: StorageType, tensors: Int)] = []
    for weight in weights {
      let (name, type) = (weight.encoding, weight.record.type)
      if let i = counts.firstIndex(where: { $0.name == name && $0.type == type }) {
        counts[i].tensors += 1
      } else {
        counts.append((name, type, 1))
      }
    }
    self.init(method: method, encodings: counts.sorted { $0.tensors > $1.tensors })
  }
}
