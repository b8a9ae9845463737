import ByteIO
package import GGUF
import Tokenizers

extension GGUFTokenizerFields {
  /// The tokenizer in a GGUF file's metadata; nil when there is none.
  package init?(_ file: GGUFFile) {
    func field(_ name: String) -> GGUFValue? { file["tokenizer.ggml." + name] }
    func id(_ name: String) -> Int32? {
      field(name + "_token_id")?.integer.flatMap { Int32(exactly: $0) }
    }
    guard let model = field("model")?.string, let tokens = field("tokens")?.array else {
      return nil
    }
    self.init(model: model, pre: field("pre")?.string, tokens: Self.strings(tokens))
    scores = field("scores")?.array?.floats ?? []
    tokenTypes = field("token_type")?.array?.integers?.map { Int32(truncatingIfNeeded: $0) } ?? []
    merges = field("merges")?.array.map(Self.strings) ?? []
    bosID = id("bos")
    eosID = id("eos")
    unknownID = id("unknown")
    paddingID = id("padding")
    addsBOS = field("add_bos_token")?.bool
    addsEOS = field("add_eos_token")?.bool
    addsSpacePrefix = field("add_space_prefix")?.bool
    chatTemplate = file["tokenizer.chat_template"]?.string
  }

  /// The entries of a GGUF file's metadata that say the same.
  package var metadata: [(key: String, value: GGUFValue)] {
    var entries: [(key: String, value: GGUFValue)] = []
    func set(_ name: String, _ value: GGUFValue?) {
      if let value { entries.append(("tokenizer.ggml." + name, value)) }
    }
    func id(_ name: String, _ id: Int32?) {
      set(name + "_token_id", id.flatMap { UInt32(exactly: $0) }.map { .uint32($0) })
    }
    set("model", .string(model))
    set("pre", pre.map { .string($0) } ?? (model == "llama" ? .string("default") : nil))
    set("tokens", .array(GGUFArray(strings: tokens)))
    set("token_type", .array(GGUFArray(tokenTypes)))
    if !scores.isEmpty { set("scores", .array(GGUFArray(scores))) }
    if !merges.isEmpty { set("merges", .array(GGUFArray(strings: merges))) }
    id("bos", bosID)
    id("eos", eosID)
    id("unknown", unknownID)
    id("padding", paddingID)
    set("add_bos_token", addsBOS.map { .bool($0) })
    set("add_eos_token", addsEOS.map { .bool($0) })
    set("add_space_prefix", addsSpacePrefix.map { .bool($0) })
    if let chatTemplate { entries.append(("tokenizer.chat_template", .string(chatTemplate))) }
    return entries
  }

  private static func strings(_ array: GGUFArray) -> [[UInt8]] {
    (0..<array.count).map { Array(array.stringBytes($0)) }
  }
}
