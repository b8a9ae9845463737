import ByteIO
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoint

/// Codes and configurations that do not fit, each with the words that say where.
@Suite("quantised checkpoints that are wrong")
struct QuantisedFaultTests {
  private let folder = TemporaryFolder()
  private static let module = "model.layers.0.self_attn.q_proj"

  /// A change to a fixture, what is said of it, and whether opening says it or reading.
  struct Fault: Sendable, CustomTestStringConvertible {
    var fixture: String
    var code: String
    var words: [String]
    var change: @Sendable (inout StoredModel) -> Void

    init(
      _ fixture: String, _ code: String, _ words: String...,
      change: @escaping @Sendable (inout StoredModel) -> Void
    ) {
      (self.fixture, self.code, self.words, self.change) = (fixture, code, words, change)
    }

    var testDescription: String { "\(fixture): \(code) \(words)" }
  }

  static let weights = "quantization_config.config_groups.group_0.weights."

  /// Reads `name` as of F32, with the number in the place of the first scale.
  private static func scale(_ model: inout StoredModel, _ ending: String, _ bits: UInt32) {
    let name = "\(module).\(ending)"
    guard let scale = model.tensors[name] else { return }
    let size = scale.bytes.count / max(1, scale.shape.reduce(1, *))
    let high = withUnsafeBytes(of: (size == 2 ? bits >> 16 : bits).littleEndian) { Array($0) }
    model.tensors[name]?.bytes.replaceSubrange(0..<size, with: high.prefix(size))
  }

  static let faults: [Fault] = [
    // FP8
    Fault("fp8-block", "quantised.missing", module + ".weight", module + ".weight_scale_inv") {
      $0.tensors[module + ".weight_scale_inv"] = nil
    },
    Fault("fp8-block", "quantised.orphan", module + ".weight_scale_inv") {
      $0.tensors[module + ".weight"] = nil
    },
    Fault("fp8-block", "quantised.type", module + ".weight", "BF16") {
      $0.tensors[module + ".weight"] = .init(
        type: .bf16, shape: [32, 32], bytes: [UInt8](repeating: 0, count: 2048))
    },
    Fault("fp8-block", "quantised.shape", module + ".weight_scale_inv", "[4, 1]", "[2, 2]") {
      $0.tensors[module + ".weight_scale_inv"]?.shape = [4, 1]
    },
    Fault("fp8-block", "quantised.type", module + ".weight_scale_inv", "I16") {
      $0.tensors[module + ".weight_scale_inv"]?.type = .i16
    },
    Fault("fp8-block", "quantised.shape", "[2, 4]", "[1, 1]") {
      $0.set("quantization_config.weight_block_size", [128, 128])
    },
    Fault("fp8-block", "quantised.shape", "[2, 4]", "[1, 1]") {
      $0.set("quantization_config.weight_block_size", nil)
    },
    Fault("fp8-block", "quantised.shape", "[2, 4]", "[1, 1]") {
      $0.set("quantization_config.weight_block_size", .null)
    },
    Fault("fp8-block", "quantised.field", "weight_block_size", "[0,16]") {
      $0.set("quantization_config.weight_block_size", [0, 16])
    },
    Fault("fp8-block", "quantised.field", "weight_block_size", "[16]") {
      $0.set("quantization_config.weight_block_size", [16])
    },
    Fault("fp8-block", "quantised.field", "weight_block_size") {
      $0.set("quantization_config.weight_block_size", [9_000_000_000_000_000_000, 1.5])
    },
    Fault("fp8-block", "quantised.field", "modules_to_not_convert") {
      $0.set("quantization_config.modules_to_not_convert", "lm_head")
    },
    Fault("fp8-block", "quantised.left_out", module) {
      $0.set("quantization_config.modules_to_not_convert", ["lm_head", .string(module)])
    },
    Fault("fp8-block", "quantised.no_codes", "fp8") { model in
      for (name, tensor) in model.tensors where tensor.type == .f8E4M3 {
        model.tensors[name] = nil
        model.tensors[name + "_scale_inv"] = nil
      }
    },
    Fault("fp8-block", "quantised.scale", module + ".weight_scale_inv", "row 0, column 0", "nan") {
      scale(&$0, "weight_scale_inv", 0x7fc0_0000)
    },
    Fault("fp8-tensor", "quantised.scale", module + ".weight_scale_inv", "inf") {
      scale(&$0, "weight_scale_inv", 0x7f80_0000)
    },
    Fault("fp8-block-f32", "quantised.scale", module + ".weight_scale_inv", "is 0.0") {
      scale(&$0, "weight_scale_inv", 0)
    },
    // 448 times the largest float32, which is no number of the weight's type.
    Fault("fp8-block-f32", "quantised.overflow", module + ".weight") {
      scale(&$0, "weight_scale_inv", 0x7f7f_ffff)
    },
    // compressed-tensors
    Fault("ct-int4", "quantised.missing", module + ".weight_scale") {
      $0.tensors[module + ".weight_scale"] = nil
    },
    Fault("ct-int4", "quantised.missing", module + ".weight_shape") {
      $0.tensors[module + ".weight_shape"] = nil
    },
    Fault("ct-int4", "quantised.orphan", module + ".weight_scale") {
      $0.tensors[module + ".weight_packed"] = nil
      $0.tensors[module + ".weight_shape"] = nil
    },
    Fault("ct-int4", "quantised.taken", module + ".weight") {
      $0.tensors[module + ".weight"] = .init(type: .bf16, shape: [1], bytes: [0, 0])
    },
    Fault("ct-int4", "quantised.shape", "[32, 64]", "group size, 24") {
      $0.set(weights + "group_size", 24)
    },
    Fault("ct-int4", "quantised.shape", "[32, 4]", "[32, 8]") { $0.set(weights + "group_size", 8) },
    Fault("ct-int4", "quantised.shape", "8 bits") { $0.set(weights + "num_bits", 8) },
    Fault("ct-int4", "quantised.field", "config_groups.group_0.weights.num_bits", "0") {
      $0.set(weights + "num_bits", 0)
    },
    Fault("ct-int4", "quantised.field", "group_size", "-2") { $0.set(weights + "group_size", -2) },
    Fault("ct-int4", "quantised.field", "symmetric", "1") { $0.set(weights + "symmetric", 1) },
    Fault("ct-int4", "quantised.field", "config_groups") {
      $0.set("quantization_config.config_groups", nil)
    },
    Fault("ct-int4", "quantised.missing", ".weight_zero_point") {
      $0.set(weights + "symmetric", false)
    },
    Fault("ct-int4-zeros", "quantised.unwanted", ".weight_zero_point", "symmetric") {
      $0.set(weights + "symmetric", true)
    },
    Fault("ct-int4-zeros", "quantised.shape", module + ".weight_zero_point", "[4, 4]") {
      $0.tensors[module + ".weight_zero_point"]?.shape = [2, 8]
    },
    Fault("ct-int4", "quantised.shape", "[-1, 32]") { model in
      let size = (model.tensors[module + ".weight_shape"]?.bytes.count ?? 0) / 2
      model.tensors[module + ".weight_shape"]?.bytes.replaceSubrange(
        0..<size, with: [UInt8](repeating: 255, count: size))
    },
    Fault("ct-int4", "quantised.shape", "[32, 9223372036854775807]") { model in
      model.tensors[module + ".weight_shape"] = .init(
        type: .i64, shape: [2],
        bytes: [32, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 255, count: 7) + [127])
    },
    Fault("ct-int4", "quantised.scale", module + ".weight_scale", "-inf") {
      scale(&$0, "weight_scale", 0xff80_0000)
    },
    Fault("ct-int8", "quantised.type", ".weight", "I8") {
      $0.set(weights + "type", "float")
      $0.set("quantization_config.format", "float-quantized")
      $0.set("quantization_config.config_groups.group_0.format", .null)
    },
    Fault("ct-int8", "quantised.field", "type") { $0.set(weights + "type", "float") },
    Fault("ct-int4-order", "quantised.missing", module + ".weight_g_idx") {
      $0.tensors[module + ".weight_g_idx"] = nil
    },
    Fault("ct-int4-order", "quantised.group", module + ".weight_g_idx", "column 3", "group 2") {
      $0.tensors[module + ".weight_g_idx"]?.bytes.replaceSubrange(12..<16, with: [2, 0, 0, 0])
    },
    Fault("ct-int4-order", "quantised.group", module + ".weight_g_idx", "column 0", "group -1") {
      $0.tensors[module + ".weight_g_idx"]?.bytes.replaceSubrange(
        0..<4, with: [255, 255, 255, 255])
    },
    Fault("ct-int4-order", "quantised.group", module + ".weight_g_idx", "group 1", "no column") {
      $0.tensors[module + ".weight_g_idx"]?.bytes = [UInt8](repeating: 0, count: 128)
    },
    // MXFP4
    Fault("mxfp4", "quantised.missing", experts + "_scales") {
      $0.tensors[experts + "_scales"] = nil
    },
    Fault("mxfp4", "quantised.orphan", experts + "_scales") {
      $0.tensors[experts + "_blocks"] = nil
    },
    Fault("mxfp4", "quantised.shape", experts + "_scales", "[3, 64, 1]") {
      $0.tensors[experts + "_scales"]?.shape = [3, 64, 1]
      $0.tensors[experts + "_scales"]?.bytes.removeLast(3 * 64)
    },
    Fault("mxfp4", "quantised.shape", experts + "_blocks", "[3, 64, 4, 8]") {
      $0.tensors[experts + "_blocks"]?.shape = [3, 64, 4, 8]
    },
    Fault("mxfp4", "quantised.type", experts + "_blocks", "I8") {
      $0.tensors[experts + "_blocks"]?.type = .i8
    },
    Fault("mxfp4", "quantised.scale", experts + "_scales", "row 2, column 1", "nan") {
      $0.tensors[experts + "_scales"]?.bytes[5] = 255
    },
    Fault("ct-mxfp4", "quantised.field", "group_size", "16") { $0.set(weights + "group_size", 16) },
    // GPTQ and AWQ
    Fault("gptq-int4", "quantised.missing", module + ".qzeros") {
      $0.tensors[module + ".qzeros"] = nil
    },
    Fault("gptq-int4", "quantised.orphan", module + ".") { $0.tensors[module + ".qweight"] = nil },
    Fault("gptq-int4", "quantised.type", module + ".qweight", "F32") {
      $0.tensors[module + ".qweight"]?.type = .f32
    },
    Fault("gptq-int4", "quantised.shape", ".qweight", "group size, 40") {
      $0.set("quantization_config.group_size", 40)
    },
    Fault("gptq-int4", "quantised.shape", ".scales", "[3, 64]", "[6, 64]") {
      $0.set("quantization_config.group_size", 16)
    },
    Fault("gptq-int4", "quantised.shape", ".qweight") { $0.set("quantization_config.bits", 8) },
    Fault("gptq-int4", "quantised.field", "group_size", "0") {
      $0.set("quantization_config.group_size", 0)
    },
    Fault("gptq-int4", "quantised.field", "bits") { $0.set("quantization_config.bits", nil) },
    Fault("gptq-int4-order", "quantised.group", module + ".g_idx", "column 1", "group 9") {
      $0.tensors[module + ".g_idx"]?.bytes.replaceSubrange(4..<8, with: [9, 0, 0, 0])
    },
    Fault("gptq-int4-order", "quantised.group", module + ".g_idx", "group -1") {
      $0.tensors[module + ".g_idx"]?.bytes = [UInt8](repeating: 255, count: 4 * 64)
    },
    Fault("gptq-int4", "quantised.scale", module + ".scales", "row 0, column 0", "inf") {
      $0.tensors[module + ".scales"]?.bytes.replaceSubrange(0..<2, with: [0, 0x7c])
    },
    Fault("awq", "quantised.missing", module + ".scales") {
      $0.tensors[module + ".scales"] = nil
    },
    Fault("awq", "quantised.shape", module + ".qzeros", "[2, 8]") {
      $0.tensors[module + ".qzeros"]?.shape = [4, 4]
    },
    Fault("awq", "quantised.left_out", module) {
      $0.set("quantization_config.modules_to_not_convert", [.string(module)])
    },
    Fault("awq", "quantised.scale", module + ".scales", "row 0, column 0", "is 0.0") {
      $0.tensors[module + ".scales"]?.bytes.replaceSubrange(0..<2, with: [0, 0])
    },
  ]

  static let experts = "model.layers.0.mlp.experts.gate_up_proj"

  @Test(
    "are refused with the tensor or field, and the numbers (QT-4, QT-5, QT-6, QT-11, QT-13, QT-25, QT-26, QT-27, QT-31, QT-44)",
    arguments: faults)
  func refused(fault: Fault) throws {
    var model = try StoredModel(fault.fixture)
    fault.change(&model)
    let path = try model.write(to: folder)
    let error = try #require(throws: QuantisationError.self) {
      let checkpoint = try Checkpoint.open(path)
      for record in checkpoint.tensors {
        var bytes = [UInt8](repeating: 0, count: record.byteCount)
        var span = bytes.mutableRawSpan
        try checkpoint.read(record.name, at: 0, into: &span)
      }
    }
    #expect(error.code == fault.code && error.kind == .malformed)
    for words in fault.words { #expect("\(error)".contains(words), "\(error)") }
    #expect(!"\(error)".contains("remove"))
  }

  @Test(
    "what a variant adds that is not decoded is named, and the codes stay what they are (QT-7, QT-51)"
  )
  func variants() throws {
    let changes: [(String, String, JSONValue, String)] = [
      ("fp8-block", "quantization_config.fmt", "e5m2", "fmt"),
      ("fp8-block", "quantization_config.rotation", true, "the field rotation"),
      ("fp8-block", "quantization_config.quant_method", "hqq", ""),
      ("ct-int4", "quantization_config.format", "marlin-24", ""),
      ("ct-int4", "quantization_config.quantization_status", "frozen", "quantization_status"),
      (
        "ct-int4", "quantization_config.sparsity_config", ["format": "sparse-24-bitmask"],
        "sparsity"
      ),
      ("ct-int4", "quantization_config.transform_config", ["a": 1], "transform_config"),
      ("ct-int4", Self.weights + "num_bits", 3, "3 bits"),
      ("ct-int4", Self.weights + "strategy", "tensor_group", "tensor_group"),
      ("ct-int4", Self.weights + "rounding", "up", "weights.rounding"),
      ("gptq-int4", "quantization_config.checkpoint_format", "marlin", "marlin"),
      ("gptq-int4", "quantization_config.bits", 5, "5 bits"),
      ("gptq-int4", "quantization_config.dynamic", ["a": 1], "dynamic"),
      ("awq", "quantization_config.version", "gemv", "gemv"),
      ("awq", "quantization_config.zero_point", false, "zero_point"),
      ("mxfp4", "quantization_config.swizzled", true, "swizzled"),
    ]
    for (i, (fixture, field, value, words)) in changes.enumerated() {
      var model = try StoredModel(fixture)
      if field.hasSuffix(".format") {
        model.set("quantization_config.config_groups.group_0.format", .null)
      }
      model.set(field, value)
      let checkpoint = try Checkpoint.open(try model.write(to: folder, "\(i)"))
      let found = try #require(checkpoint.quantisation, "\(field)")
      #expect(words.isEmpty || found.variant?.contains(words) == true, "\(found)")
      #expect(checkpoint.dequantised == nil && checkpoint.tensors.count == model.tensors.count)
    }
  }

  @Test("GPTQ's zero point of all ones is not guessed at: decoders differ in it (QT-42)")
  func zeroPoint() throws {
    var model = try StoredModel("gptq-int4")
    model.tensors[Self.module + ".qzeros"]?.bytes[8] = 0x3f
    let checkpoint = try Checkpoint.open(try model.write(to: folder))
    let name = TensorName(Self.module + ".weight")
    var values = [Float](repeating: 0, count: 64)
    func read(row: Int) throws {
      var span = values.mutableSpan
      try checkpoint.readFloats(name, elements: row * 64..<(row + 1) * 64, into: &span)
    }
    let error = try #require(throws: QuantisationError.self) { try read(row: 16) }
    #expect(error.code == "quantised.zero_point" && error.kind == .unsupported)
    #expect("\(error)".contains("row 0, column 16") && "\(error)".contains("gptq_v2"))
    model.set("quantization_config.checkpoint_format", "gptq_v2")
    let second = try Checkpoint.open(try model.write(to: folder, "v2"))
    var span = values.mutableSpan
    try second.readFloats(name, elements: 16 * 64..<17 * 64, into: &span)
  }

  @Test("FP8 under other names or of other types is a variant, not a fault (QT-11)")
  func otherNames() throws {
    let name = Self.module + ".weight"
    var renamed = try StoredModel("fp8-block")
    renamed.tensors[Self.module + ".scale"] = renamed.tensors.removeValue(
      forKey: name + "_scale_inv")
    var packed = try StoredModel("fp8-block")
    packed.tensors[name]?.type = .i8
    for (model, words) in [(renamed, "scales named .scale"), (packed, "codes of type I8")] {
      let found = try Checkpoint.open(try model.write(to: folder, words)).quantisation
      #expect(found?.variant == words && found?.tensor?.string == name)
    }
  }

  @Test("of several groups, the one that fits a module's tensors is its own (QT-28)")
  func groups() throws {
    var model = try StoredModel("ct-int4")
    var other = try #require(
      model.config["quantization_config"]?["config_groups"]?["group_0"]?.object)
    var weights = try #require(other["weights"]?.object)
    weights["num_bits"] = 8
    other["weights"] = .object(weights)
    model.set("quantization_config.config_groups.group_1", .object(other))
    let checkpoint = try Checkpoint.open(try model.write(to: folder, "two"))
    #expect(checkpoint.dequantised?.encodings.map(\.name) == ["int4 in groups of 16"])
    weights["num_bits"] = 4
    weights["group_size"] = 32
    other["weights"] = .object(weights)
    model.set("quantization_config.config_groups.group_1", .object(other))
    // down_proj has 64 columns in 4 groups of 16, all others 32 in 2: no group of 32 fits.
    let narrower = try Checkpoint.open(try model.write(to: folder, "three"))
    #expect(narrower.dequantised?.encodings.map(\.tensors) == [28])
  }
}
