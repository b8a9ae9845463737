import ByteIO
import JSON
import Tensors

/// FP8 weights with a scale for each block, as DeepSeek and Qwen publish them and transformers
/// reads them: `NAME` in E4M3 beside `NAME_scale_inv` (QT-10 to QT-13).
enum FP8Format: QuantisedFormat {
  static let method = "fp8"
  static let fields = """
    quant_method fmt activation_scheme weight_block_size modules_to_not_convert ignored_layers
    scale_fmt dequantize
    """
  static let only: [String: [JSONValue]] = [
    "fmt": ["e4m3", .null], "activation_scheme": ["dynamic", "static", .null],
    "scale_fmt": ["ue8m0", "float", .null],
  ]

  static func weights(
    _ settings: QuantisationSettings, _ stored: StoredTensors
  ) throws -> QuantisedTensors {
    // The default of transformers' FineGrainedFP8Config; null says one scale for all.
    let block =
      settings.fields["weight_block_size"] == nil
      ? (rows: 128, columns: 128) : try settings.block("weight_block_size")
    var found = QuantisedTensors()
    found.leftOut =
      try settings.modules("modules_to_not_convert") + settings.modules("ignored_layers")
    for record in stored.records {
      if record.type == .element(.f8E4M3) {
        found.weights.append(try weight(record, block, settings, stored))
      } else {
        try checkCodes(record, stored)
      }
    }
    found.activationScales = found.weights.flatMap { weight in
      ["activation_scale", "input_scale"].map { TensorName("\(weight.module).\($0)") }
    }.filter { stored.record($0) != nil }
    return found
  }

  /// Refuses a tensor that is no E4M3, but has scales.
  private static func checkCodes(_ record: TensorRecord, _ stored: StoredTensors) throws {
    guard stored.record(TensorName(record.name.string + "_scale_inv")) != nil else { return }
    guard ![.bf16, .f16, .f32].contains(where: { record.type == .element($0) }) else {
      throw QuantisationError(
        .wrongType(record.type, wanted: "F8_E4M3"), path: stored.path, tensor: record.name)
    }
    throw UnreadVariant("codes of type \(record.type)", tensor: record.name)
  }

  private static func weight(
    _ codes: TensorRecord, _ block: (rows: Int, columns: Int)?, _ settings: QuantisationSettings,
    _ stored: StoredTensors
  ) throws -> QuantisedWeight {
    let path = stored.path
    guard codes.shape.count >= 2 else {
      throw QuantisationError(
        .wrongShape(codes.shape, wanted: "that of a matrix"), path: path, tensor: codes.name)
    }
    let name = TensorName(codes.name.string + "_scale_inv")
    guard let scales = stored.record(name) else {
      let module = codes.name.string.split(separator: ".").dropLast().joined(separator: ".")
      for other in ["scale", "qscale_weight", "weight_scale"]
      where stored.record(TensorName("\(module).\(other)")) != nil {
        throw UnreadVariant("scales named .\(other)", tensor: codes.name)
      }
      throw QuantisationError(.missing(name), path: path, tensor: codes.name)
    }
    guard [.f32, .bf16, .f16, .f8E8M0, .u8].contains(where: { scales.type == .element($0) }) else {
      throw QuantisationError(
        .wrongType(scales.type, wanted: "F32, BF16, F16, F8_E8M0 or U8"), path: path, tensor: name)
    }
    let (rows, columns) = (
      codes.shape[codes.shape.count - 2], codes.shape[codes.shape.count - 1]
    )
    let grid = try ScaleGrid(
      scales, block: block ?? (max(1, rows), max(1, columns)), of: codes.shape, path: path,
      isExponent: scales.type == .element(.u8))
    return try QuantisedWeight(
      codes.name, shape: codes.shape, type: settings.modelType ?? .f32, codes: codes,
      operands: [name],
      encoding: block.map { "FP8 E4M3 in blocks of \($0.rows)x\($0.columns)" }
        ?? "FP8 E4M3 with one scale",
      decoder: ScaledRows(codes: .numbers(codes.name), columns: columns, scales: grid),
      path: path)
  }
}
