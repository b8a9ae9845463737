import ByteIO
import JSON
package import Tensors

/// That a checkpoint's tensors hold codes, whose meaning other tensors or the configuration give.
package struct Quantisation: Equatable, Sendable {
  /// The method's own name, such as `fp8` or `gptq`.
  package let method: String
  /// A tensor that shows it; nil where the configuration alone says so.
  package let tensor: TensorName?
}

extension Checkpoint {
  /// How the tensors are quantised; nil when they are stored as what they are. Block types of GGUF
  /// are decoded by themselves, and are not meant here.
  package var quantisation: Quantisation? {
    if let method = config.flatMap(Self.statedMethod) {
      return Quantisation(method: method, tensor: nil)
    }
    let names = Set(tensors.map { ExactString($0.name.string) })
    for tensor in tensors {
      let name = tensor.name.string
      for (suffix, companion, method) in Self.companions where name.hasSuffix(suffix) {
        let other = name.dropLast(suffix.count) + companion
        if names.contains(ExactString(String(other))) {
          return Quantisation(method: method, tensor: tensor.name)
        }
      }
    }
    return nil
  }

  /// What Hugging Face's `quantization_config`, or MLX's `quantization`, says.
  private static func statedMethod(_ config: JSONObject) -> String? {
    if let stated = config["quantization_config"] ?? config["compression_config"], !stated.isNull {
      return stated["quant_method"]?.string ?? "of an unnamed kind"
    }
    if let stated = config["quantization"], !stated.isNull { return "mlx" }
    return nil
  }

  /// Endings of names that belong together, the codes' and what gives them their meaning.
  private static let companions = [
    (".weight", ".weight_scale_inv", "fp8"), (".weight", ".weight_scale", "scaled weights"),
    (".weight_packed", ".weight_scale", "compressed-tensors"),
    (".qweight", ".scales", "gptq or awq"),
    (".weight", ".absmax", "bitsandbytes"), (".weight", ".weight.absmax", "bitsandbytes"),
    (".weight", ".SCB", "bitsandbytes"), ("_blocks", "_scales", "mxfp4"),
    (".weight", ".scales", "mlx"),
  ]
}
