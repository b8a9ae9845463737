import JSON

/// What the names in `tokenizer.ggml.pre` stand for, as steps of a tokenizer.json.
struct GGUFSplittingRules: Sendable {
  /// The text is composed (NFC) first.
  var composes = false
  var preTokenizer: JSONValue
  var ignoresMerges = false
  /// Files without `add_bos_token` mean yes.
  var startsWithBOS = false

  /// One name for each set of rules, in the order in which a writer tries them.
  static let preferred = [
    "llama-bpe", "qwen2", "smollm", "gpt-2", "olmo", "dbrx", "tekken", "gpt-4o", "deepseek-v3",
    "deepseek-llm", "deepseek-coder", "falcon",
  ]

  static let named: [String: GGUFSplittingRules] = {
    let gpt2 = GGUFSplittingRules(preTokenizer: byteLevel(usesRegex: true))
    let neox = GGUFSplittingRules(composes: true, preTokenizer: byteLevel(usesRegex: true))
    let digits = GGUFSplittingRules(
      preTokenizer: sequence([
        ["type": "Digits", "individual_digits": true], byteLevel(usesRegex: true),
      ]))
    let triples = GGUFSplittingRules(preTokenizer: splits(WordPattern.threeDigits))
    var llama3 = triples
    llama3.ignoresMerges = true
    llama3.startsWithBOS = true
    let qwen2 = GGUFSplittingRules(composes: true, preTokenizer: splits(WordPattern.oneDigit))
    let tekken = GGUFSplittingRules(
      preTokenizer: splits(CasedPattern.tekken), ignoresMerges: true, startsWithBOS: true)
    let o200k = GGUFSplittingRules(preTokenizer: splits(CasedPattern.o200k))
    return [
      "gpt-2": gpt2, "phi-2": gpt2, "olmo": neox, "mpt": neox, "smollm": digits,
      "starcoder": digits, "refact": digits, "command-r": digits, "llama-bpe": llama3,
      "llama3": llama3, "llama-v3": llama3, "dbrx": triples, "smaug-bpe": triples,
      "qwen2": qwen2, "deepseek-r1-qwen": qwen2, "tekken": tekken, "gpt-4o": o200k,
      "llama4": o200k, "deepseek-v3": .init(preTokenizer: splits(DeepSeekPatterns.v3)),
      "deepseek-llm": .init(preTokenizer: splits(DeepSeekPatterns.llm)),
      "deepseek-coder": .init(preTokenizer: splits(DeepSeekPatterns.coder)),
      "falcon": .init(preTokenizer: falcon),
    ]
  }()

  /// Groups of signs, words as GPT-2 has them, numbers apart, and these by three.
  private static let falcon = sequence([
    ["type": "Punctuation", "behavior": "Contiguous"], byteLevel(usesRegex: true),
    ["type": "Digits", "individual_digits": false], split("[0-9][0-9][0-9]"),
  ])

  private static func byteLevel(usesRegex: Bool) -> JSONValue {
    [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
      "use_regex": .bool(usesRegex),
    ]
  }

  private static func sequence(_ steps: [JSONValue]) -> JSONValue {
    ["type": "Sequence", "pretokenizers": .array(steps)]
  }

  /// The matches of each expression in turn.
  private static func splits(_ patterns: String...) -> JSONValue { splits(patterns) }

  private static func splits(_ patterns: [String]) -> JSONValue {
    sequence(patterns.map(split) + [byteLevel(usesRegex: false)])
  }

  private static func split(_ pattern: String) -> JSONValue {
    [
      "type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated",
      "invert": false,
    ]
  }
}
