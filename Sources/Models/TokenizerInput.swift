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

  /// The tokenizer at `path`: a tokenizer.json, a GGUF file (of a vocabulary alone, too), or a
  /// folder that holds one of them. No weights are needed.
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
    try refuseRun(path)
    guard try pathKind(path) != .folder else {
      let folder = try CheckpointFolder(path: path)
      if folder.names.contains("tokenizer.json") {
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
    case Array("GGUF".utf8): try self.init(gguf: path) { _ in nil }
    default: try self.init(of: Checkpoint.opening(path))
    }
  }

  /// The tokenizer of the files that `open` finds by name, or else in a GGUF file's metadata.
  private init?(gguf path: String?, open: (String) throws -> ByteRegion?) throws {
    func content(_ name: String) throws -> (value: JSONValue, path: String)? {
      guard let file = try open(name) else { return nil }
      let text = try file.contents(limit: Self.fileLimit)
      return (try JSONValue(parsing: text, path: file.path), file.path)
    }
    let config = try content("tokenizer_config.json")
    if let document = try content("tokenizer.json") {
      self = try TokenizerFolder(
        document: document.value, config: config?.value,
        specialTokensMap: content("special_tokens_map.json")?.value,
        addedTokens: content("added_tokens.json")?.value
      ).tokenizer(path: document.path)
    } else if let path, let fields = try GGUFTokenizerFields(GGUFFile(ByteRegion(path: path))) {
      try self.init(gguf: fields, path: path)
      if let config { try apply(config: config.value, path: config.path) }
    } else {
      return nil
    }
    if let file = try open("chat_template.jinja") {
      chatTemplate = String(decoding: try file.contents(limit: Self.fileLimit), as: UTF8.self)
    }
  }
}
