/// How GGUF files have a model family.
struct GGUFFamily: Sendable {
  /// Value of `general.architecture`, and the prefix of the hyper-parameters' keys.
  var architecture: String
  /// Whether the rows of queries and keys are in the order of interleaved RoPE, head by head.
  var isInterleaved: Bool

  /// Llama and what llama.cpp computes like it.
  static let llama = GGUFFamily(architecture: "llama", isInterleaved: true)

  /// A family with an architecture of its own and rows in the order of Hugging Face folders.
  static func of(_ architecture: String) -> GGUFFamily {
    GGUFFamily(architecture: architecture, isInterleaved: false)
  }
}
