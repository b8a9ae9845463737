/// Which of a checkpoint folder's other files belong to a package.
package enum SideFiles {
  private static let names: Set = [
    "added_tokens.json", "chat_template.jinja", "chat_template.json", "generation_config.json",
    "merges.txt", "special_tokens_map.json", "tokenizer.json", "tokenizer.model",
    "tokenizer_config.json", "vocab.json", "vocab.txt",
  ]
  private static let prefixes = [
    "COPYING", "LICENCE", "LICENSE", "NOTICE", "USE_POLICY", "Notice", "license", "notice",
  ]
  /// Any of these alone can turn text into tokens.
  private static let tokenizers: Set = ["tokenizer.json", "tokenizer.model", "vocab.json"]

  package static func isTakenOver(_ name: String) -> Bool {
    names.contains(name) || prefixes.contains { name.hasPrefix($0) }
  }

  package static func hasTokenizer(_ names: [String]) -> Bool {
    names.contains(where: tokenizers.contains)
  }
}
