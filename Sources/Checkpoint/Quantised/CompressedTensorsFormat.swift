import ByteIO
import JSON
import Tensors

/// What the library compressed-tensors writes (QT-20 to QT-27).
enum CompressedTensorsFormat: QuantisedFormat {
  static let method = "compressed-tensors"
  static let fields = """
    quant_method format config_groups ignore quantization_status kv_cache_scheme
    global_compression_ratio version sparsity_config transform_config moe_sparsity_config
    """
  static let only: [String: [JSONValue]] = [
    "quantization_status": ["compressed"], "transform_config": [.null, [:]],
    "moe_sparsity_config": [.null, [:]],
  ]

  static func weights(
    _ settings: QuantisationSettings, _ stored: StoredTensors
  ) throws -> QuantisedTensors {
    let schemes = try schemes(settings)
    var found = QuantisedTensors()
    found.leftOut = try settings.modules("ignore")
    for record in stored.records {
      let name = record.name.string
      let isPacked = name.hasSuffix(".weight_packed")
      let isCoded = [.i8, .f8E4M3].contains { record.type == .element($0) }
      guard isPacked || name.hasSuffix(".weight") && isCoded else { continue }
      let module = String(name.dropLast(isPacked ? 14 : 7))
      let codes = CodedModule(module, codes: record, stored: stored)
      let scheme = try scheme(of: codes, among: schemes, isPacked: isPacked)
      found.weights.append(try codes.weight(scheme))
    }
    let modules = found.weights.map(\.module)
    found.activationScales = modules.flatMap { module in
      ["input_scale", "input_zero_point", "output_scale", "output_zero_point"].map {
        TensorName("\(module).\($0)")
      }
    }.filter { stored.record($0) != nil }
    found.activationScales += stored.records.map(\.name).filter { name in
      [".k_scale", ".v_scale", ".q_scale"].contains { name.string.hasSuffix($0) }
    }
    return found
  }

  /// The scheme of each group that has weights, each once.
  private static func schemes(_ settings: QuantisationSettings) throws -> [CodeScheme] {
    if let sparsity = settings["sparsity_config"], sparsity != [:], sparsity["format"] != "dense" {
      throw UnreadVariant("sparsity_config \(sparsity.text())")
    }
    guard let groups = settings["config_groups"]?.object else {
      throw settings.malformed("config_groups", "an object of groups")
    }
    var schemes: [CodeScheme] = []
    for (name, value) in groups.members.map({ ($0.key, $0.value) }) {
      guard let fields = value.object else {
        throw UnreadVariant("config_groups.\(name) \(value.text())")
      }
      var group = QuantisationSettings(fields, path: settings.path, modelType: settings.modelType)
      group.place = "config_groups.\(name)."
      try group.check("targets weights input_activations output_activations format")
      guard let weights = group["weights"] else { continue }
      guard let fields = weights.object else { throw group.malformed("weights", "an object") }
      var inner = QuantisationSettings(fields, path: settings.path, modelType: settings.modelType)
      inner.place = group.place + "weights."
      let format = (group["format"] ?? settings["format"])?.string ?? "missing"
      let scheme = try CodeScheme(inner, format: format)
      if !schemes.contains(scheme) { schemes.append(scheme) }
    }
    return schemes
  }

  /// The one scheme that fits a module's tensors. Which modules a group is for is said in patterns,
  /// but where several groups are, the tensors tell: another width, other scales, zero points.
  private static func scheme(
    of module: CodedModule, among schemes: [CodeScheme], isPacked: Bool
  ) throws -> CodeScheme {
    let isFloat = [.f8E4M3, .u8].contains { module.codes.type == .element($0) }
    let kinds = schemes.filter { $0.kind.isPacked == isPacked && $0.isFloat == isFloat }
    guard let first = kinds.first else {
      throw QuantisationError(
        .wrongType(module.codes.type, wanted: "what a group of config_groups says"),
        path: module.stored.path, tensor: module.codes.name)
    }
    guard kinds.count > 1 else { return first }
    let fitting = try kinds.filter { try fits($0, module) }
    guard fitting.count < 2 else {
      throw UnreadVariant("several groups of config_groups fit", tensor: module.codes.name)
    }
    return fitting.first ?? first
  }

  /// Whether the module's tensors are as the scheme has them; a read that fails is no answer.
  private static func fits(_ scheme: CodeScheme, _ module: CodedModule) throws -> Bool {
    do { _ = try module.weight(scheme) } catch is QuantisationError {
      return false
    } catch is UnreadVariant { return false }
    return true
  }
}
