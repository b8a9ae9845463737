import ByteIO
import JSON
import Tensors

/// What AutoGPTQ and GPTQModel write: `qweight`, `qzeros`, `scales` and `g_idx` (QT-40 to QT-44).
enum GPTQFormat: QuantisedFormat {
  static let method = "gptq"
  /// Beside what is read, how the codes were found and how kernels are chosen.
  static let fields = """
    quant_method bits group_size desc_act sym checkpoint_format format pack_dtype dynamic
    damp_percent damp_auto_increment static_groups true_sequential lm_head mse meta
    model_name_or_path model_file_base_name is_marlin_format dataset tokenizer batch_size
    block_name_to_quantize cache_block_outputs disable_exllama use_exllama exllama_config
    max_input_length module_name_preceding_first_block modules_in_block_to_quantize
    modules_to_not_convert pad_token_id use_cuda_fp16 model_seqlen backend version quantizer
    method pack_impl
    """
  static let only: [String: [JSONValue]] = [
    "method": ["gptq", .null], "pack_dtype": ["int32", .null], "dynamic": [.null, [:]],
    "is_marlin_format": [false, .null],
  ]

  static func weights(
    _ settings: QuantisationSettings, _ stored: StoredTensors
  ) throws -> QuantisedTensors {
    let format = settings["checkpoint_format"] ?? settings["format"] ?? "gptq"
    // GPTQModel writes it twice.
    if let other = settings["format"], other != format {
      throw UnreadVariant("format \(other.text())")
    }
    guard let offset = ["gptq": 1, "gptq_v2": 0][format.string ?? ""] else {
      throw UnreadVariant("checkpoint_format \(format.text())")
    }
    guard let bits = try settings.integer("bits", in: 1...64) else {
      throw settings.malformed("bits", "2, 3, 4 or 8")
    }
    guard [2, 3, 4, 8].contains(bits) else { throw UnreadVariant("\(bits) bits") }
    return try ColumnModule.weights(
      .stream(bits: bits, offset: offset), name: "GPTQ int\(bits)", settings, stored)
  }
}

/// What AutoAWQ writes in its layout GEMM: `qweight`, `qzeros` and `scales` (QT-50 to QT-52).
enum AWQFormat: QuantisedFormat {
  static let method = "awq"
  static let fields = """
    quant_method bits w_bit group_size q_group_size zero_point version format backend
    modules_to_not_convert do_fuse fuse_max_seq_len modules_to_fuse exllama_config
    checkpoint_format method pack_impl pack_dtype dynamic desc_act sym lm_head meta
    """
  static let only: [String: [JSONValue]] = [
    "version": gemm, "format": gemm, "checkpoint_format": gemm, "method": ["awq", .null],
    "pack_dtype": ["int32", .null], "dynamic": [.null, [:]], "desc_act": [false, .null],
    "zero_point": [true, .null],
  ]
  private static let gemm: [JSONValue] = ["gemm", "GEMM", .null]

  static func weights(
    _ settings: QuantisationSettings, _ stored: StoredTensors
  ) throws -> QuantisedTensors {
    let bits = try settings.integer("bits", in: 1...64) ?? settings.integer("w_bit", in: 1...64)
    guard let bits else { throw settings.malformed("bits", "4") }
    guard bits == 4 else { throw UnreadVariant("\(bits) bits") }
    return try ColumnModule.weights(.interleaved, name: "AWQ int4", settings, stored)
  }
}
