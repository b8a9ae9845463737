import ByteIO
import JSON
package import Tensors

/// That a checkpoint's tensors hold codes that are not decoded.
package struct Quantisation: Equatable, Sendable {
  /// The method's own name, such as `bitsandbytes`.
  package let method: String
  /// A tensor that shows it; nil where the configuration alone says so.
  package var tensor: TensorName?
  /// What of a method that is known is not decoded; nil where the method is none that is known.
  package var variant: String?
}

/// How weights are stored that are decoded as they are read.
package struct Dequantisation: Equatable, Sendable {
  /// As `quantization_config` has it, such as `fp8`.
  package let method: String
  /// The tensors of each kind of codes, in words, and the type of their values; most tensors first.
  package let encodings: [(name: String, type: StorageType, tensors: Int)]

  package static func == (a: Self, b: Self) -> Bool {
    a.method == b.method && a.encodings.elementsEqual(b.encodings, by: ==)
  }
}

extension Quantisation {
  /// What the tensors' names show where the configuration says nothing: a method that is refused,
  /// since names alone do not say how wide the codes are.
  init?(names records: [TensorRecord]) {
    // Nearly all checkpoints have no name with such an ending, and then no pair is looked for.
    guard
      records.contains(where: { record in
        let name = record.name.string
        return Self.companions.contains { name.hasSuffix($0.1) }
      })
    else { return nil }
    let names = Set(records.map(\.name))
    for record in records {
      let name = record.name.string
      for (suffix, companion, method) in Self.companions where name.hasSuffix(suffix) {
        let other = TensorName(name.dropLast(suffix.count) + companion)
        if names.contains(other) {
          self.init(method: method, tensor: record.name)
          return
        }
      }
    }
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
