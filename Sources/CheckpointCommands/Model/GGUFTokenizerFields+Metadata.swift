import ByteIO
import GGUF
import Tokenizers

extension GGUFTokenizerFields {
  /// The tokenizer in a GGUF file's metadata; nil when there is none.
  init?(_ file: GGUFFile) {
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

  private static func strings(_ array: GGUFArray) -> [[UInt8]] {
    (0..<array.count).map { Array(array.stringBytes($0)) }
  }
}
