package import JSON

/// A byte-level BPE in two files, vocab.json and merges.txt, as older tools save it. They do not
/// say how text is split: the class of the tokenizer does.
package struct BytePairFiles {
  package var vocabulary: JSONValue
  package var merges: [UInt8]

  package init(vocabulary: JSONValue, merges: [UInt8]) {
    self.vocabulary = vocabulary
    self.merges = merges
  }

  /// Classes of transformers whose rules are known.
  private enum Rules {
    case gpt2
    case qwen2

    init?(className: String) {
      switch className {
      case "GPT2Tokenizer", "GPT2TokenizerFast": self = .gpt2
      case "Qwen2Tokenizer", "Qwen2TokenizerFast": self = .qwen2
      default: return nil
      }
    }

    init?(modelType: String) {
      switch modelType {
      case "gpt2": self = .gpt2
      case "qwen2", "qwen2_moe", "qwen3", "qwen3_moe": self = .qwen2
      default: return nil
      }
    }
  }

  /// The tokenizer.json that says the same; nil when it is not known how the text is split.
  ///
  /// - Parameters:
  ///   - config: tokenizer_config.json, whose `tokenizer_class` says it.
  ///   - modelType: `model_type` of config.json, which counts without a class.
  package func document(config: JSONValue?, modelType: String?) -> JSONValue? {
    let className = config?["tokenizer_class"]?.string
    guard config?["add_prefix_space"]?.bool != true else { return nil }
    let rules =
      className.map { Rules(className: $0) } ?? modelType.flatMap { Rules(modelType: $0) }
    guard let rules else { return nil }
    let lines = merges.split(separator: 0x0A).map {
      $0.last == 0x0D ? $0.dropLast() : $0
    }.filter { !$0.isEmpty }
    let pre =
      switch rules {
      case .gpt2: GGUFSplittingRules.named["gpt-2"]
      case .qwen2: GGUFSplittingRules.named["qwen2"]
      }
    guard let pre else { return nil }
    return [
      "model": [
        "type": "BPE", "vocab": vocabulary,
        "merges": .array(lines.map { .string(String(decoding: $0, as: UTF8.self)) }),
      ],
      "normalizer": pre.composes ? ["type": "NFC"] : .null,
      "pre_tokenizer": pre.preTokenizer, "decoder": ["type": "ByteLevel"],
    ]
  }

  /// `config` with the special tokens that both classes name where nobody else does.
  package static func withUsualTokens(_ config: JSONValue?) -> JSONValue {
    var members = config?.object ?? JSONObject()
    for name in ["eos_token", "unk_token"] where members[name] == nil {
      members[name] = "<|endoftext|>"
    }
    return .object(members)
  }
}
