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
    guard parts.contains(where: { name.contains($0) }) else { return name }
    return name.split(separator: ".", omittingEmptySubsequences: false)
      .filter { !parts.contains(String($0)) }.joined(separator: ".")
  }
}
