/// What training programs that wrap a model's modules put into the names of its tensors.
package enum WrapperNames {
  /// At any place, between dots: torch.compile, FSDP, activation checkpointing, DeepSpeed.
  package static let parts = [
    "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module",
  ]

  /// Before all names: the same, data parallelism and PEFT.
  package static let prefixes = ["module.", "base_model.model."] + parts.map { $0 + "." }

  /// `name` without `parts`.
  package static func removed(from name: String) -> String {
    guard hasPartLikeThem(name) else { return name }
    return name.split(separator: ".", omittingEmptySubsequences: false)
      .filter { !parts.contains(String($0)) }.joined(separator: ".")
  }

  /// Whether something between dots starts with an underscore, as all `parts` do. This is asked for
  /// every tensor, and nearly all names stop here.
  private static func hasPartLikeThem(_ name: String) -> Bool {
    var startsPart = true
    for byte in name.utf8 {
      if startsPart, byte == UInt8(ascii: "_") { return true }
      startsPart = byte == UInt8(ascii: ".")
    }
    return false
  }
}
