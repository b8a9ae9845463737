import ByteIO
package import Checkpoint
import GGUF
import JSON
import Tokenizers

extension Tokenizer {
  /// Largest tokenizer.json that is read, in bytes; those of 250,000 tokens have about 35 MB.
  private static let fileLimit = 256 << 20

  /// Files of a folder that say how text becomes tokens.
  package static let fileNames: Set = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja",
  ]

  /// Files that hold a tokenizer each, of which the first that is there counts.
  private static let alone = ["tokenizer.json", "vocab.json", "tokenizer.model", "tekken.json"]

  /// The tokenizer at `path`: a tokenizer.json, a tokenizer.model of SentencePiece, a GGUF file (of a
  /// vocabulary alone, too), or a folder that holds one of them. No weights are needed.
  package init(at path: String) throws {
    guard let tokenizer = try Tokenizer(findingAt: path) else {
      throw ModelError(path, .noTokenizer)
    }
    self = tokenizer
  }

  /// The tokenizer of an open checkpoint; nil when it has none.
  package init?(of checkpoint: Checkpoint) throws {
    let files = checkpoint.sideFiles
    try self.init(gguf: checkpoint.format == .gguf ? checkpoint.inputs.first : nil) { name in
      files.first { $0.name == name }?.region
    }
  }

  private init?(findingAt path: String) throws {
    try refuseWrongPath(path)
    guard try pathKind(path) != .folder else {
      let folder = try CheckpointFolder(path: path)
      if folder.names.contains(where: Self.alone.contains) {
        try self.init(gguf: nil) { try folder.open($0) }
      } else {
        try self.init(of: Checkpoint.opening(path))
      }
      return
    }
    let region = try ByteRegion(path: path)
    switch try region.bytes(0..<min(4, region.byteCount)) {
    case let start where start.first == UInt8(ascii: "{"):
      try self.init(tokenizerJSON: region.contents(limit: Self.fileLimit), path: path)
    case Array("GGUF".utf8):
      let file = try GGUFFile(region)
      try self.init(gguf: path) { file.packedFile($0) }
    // The first field of a tokenizer.model; no weight file starts so.
    case let start where start.first == 0x0A && path.hasSuffix(".model"):
      try self.init(sentencePiece: region.contents(limit: Self.fileLimit), path: path)
    default: try self.init(of: Checkpoint.opening(path))
    }
  }

  /// The tokenizer of the files that `open` finds by name, or else in a GGUF file's metadata.
  private init?(gguf path: String?, open: (String) throws -> ByteRegion?) throws {
    func content(_ name: String) throws -> (value: JSONValue, path: String)? {
      guard let file = try open(name) else { return nil }
      try file.requireDownloaded()
      let text = try file.contents(limit: Self.fileLimit)
      return (try JSONValue(parsing: text, path: file.path), file.path)
    }
    func folder(_ document: JSONValue, _ config: JSONValue?) throws -> TokenizerFolder {
      TokenizerFolder(
        document: document, config: config,
        specialTokensMap: try content("special_tokens_map.json")?.value,
        addedTokens: try content("added_tokens.json")?.value)
    }
    let config = try content("tokenizer_config.json")
    if let document = try content("tokenizer.json") {
      self = try folder(document.value, config?.value).tokenizer(path: document.path)
    } else if let path, let fields = try GGUFTokenizerFields(GGUFFile(ByteRegion(path: path))) {
      try self.init(gguf: fields, path: path)
      if let config { try apply(config: config.value, path: config.path) }
    } else if let vocabulary = try content("vocab.json"), let merges = try open("merges.txt") {
      let files = BytePairFiles(
        vocabulary: vocabulary.value, merges: try merges.contents(limit: Self.fileLimit))
      let document = files.document(
        config: config?.value, modelType: try content("config.json")?.value["model_type"]?.string)
      guard let document else { throw ModelError(vocabulary.path, .otherTokenizer("vocab.json")) }
      self = try folder(document, BytePairFiles.withUsualTokens(config?.value))
        .tokenizer(path: vocabulary.path)
    } else if let file = try open("tokenizer.model") {
      try file.requireDownloaded()
      let model = try file.contents(limit: Self.fileLimit)
      let files = SentencePieceFolder(
        model: model, config: config?.value,
        specialTokensMap: try content("special_tokens_map.json")?.value,
        addedTokens: try content("added_tokens.json")?.value,
        modelType: try content("config.json")?.value["model_type"]?.string)
      guard !Self.isRankList(model), let tokenizer = try files.tokenizer(path: file.path) else {
        throw ModelError(file.path, .otherTokenizer("tokenizer.model"))
      }
      self = tokenizer
    } else {
      if let file = try open("tekken.json") {
        throw ModelError(file.path, .otherTokenizer("tekken.json"))
      }
      return nil
    }
    if let file = try open("chat_template.jinja") {
      chatTemplate = String(decoding: try file.contents(limit: Self.fileLimit), as: UTF8.self)
    }
  }

  /// Whether a tokenizer.model is tiktoken's, lines of a token in base64 and its rank: Llama 3's.
  private static func isRankList(_ bytes: [UInt8]) -> Bool {
    let line = bytes.prefix(256).prefix { $0 != 0x0A }.split(separator: 0x20)
    return line.count == 2 && line[1].allSatisfy { 0x30...0x39 ~= $0 }
      && line[0].allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F, 0x3D: true
        default: false
        }
      }
  }
}
