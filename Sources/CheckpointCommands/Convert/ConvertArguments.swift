import ArgumentParser
import Conversion
import Tensors

extension Conversion.Target: ExpressibleByArgument {
  private static let endings: [(String, Conversion.Target)] = [
    (".safetensors", .safetensors), (".gguf", .gguf), (".pt", .torch), (".pth", .torch),
    (".bin", .torch),
  ]

  /// The target that a path's ending means.
  init(path: String) {
    let name = path.lowercased()
    self = Self.endings.first { name.hasSuffix($0.0) }?.1 ?? .folder
  }
}

/// A type of elements or blocks on the command line, by any of its usual names.
struct StorageTypeArgument: ExpressibleByArgument, Equatable {
  var type: StorageType

  private static let names: [String: StorageType] = [
    "f64": .element(.f64), "float64": .element(.f64), "double": .element(.f64),
    "f32": .element(.f32), "float32": .element(.f32), "fp32": .element(.f32),
    "f16": .element(.f16), "float16": .element(.f16), "fp16": .element(.f16),
    "half": .element(.f16), "bf16": .element(.bf16), "bfloat16": .element(.bf16),
    "f8_e4m3": .element(.f8E4M3), "float8_e4m3fn": .element(.f8E4M3),
    "f8_e5m2": .element(.f8E5M2), "float8_e5m2": .element(.f8E5M2), "q8_0": .block(.q80),
  ]

  init?(argument: String) {
    guard let type = Self.names[argument.lowercased()] else { return nil }
    self.type = type
  }

  static var allValueStrings: [String] {
    ["f64", "f32", "f16", "bf16", "f8_e4m3", "f8_e5m2", "q8_0"]
  }
  static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}

/// `OLD=NEW`: a run of bytes in tensors' names, and what replaces it wherever it occurs.
struct RenameArgument: ExpressibleByArgument, Equatable {
  private var old: [UInt8]
  private var new: [UInt8]

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty else { return nil }
    old = Array(parts[0].utf8)
    new = Array(parts[1].utf8)
  }

  func applied(to name: String) -> String {
    String(decoding: Array(name.utf8).replacing(old, with: new), as: UTF8.self)
  }
}
