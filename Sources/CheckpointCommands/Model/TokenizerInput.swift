import ByteIO
import Checkpoint
import GGUF
import JSON
import Tokenizers

extension Tokenizer {
  /// Largest tokenizer.json that is read, in bytes; those of 250,000 tokens have about 35 MB.
  private static let fileLimit = 256 << 20

  /// The tokenizer at `path`: a tokenizer.json, a GGUF file (of a vocabulary alone, too), or a
  /// folder that holds one of them. No weights are needed.
  init(at path: String) throws {
    guard let tokenizer = try Tokenizer(findingAt: path) else {
      throw ModelError(path, .noTokenizer)
    }
    self = tokenizer
  }

  /// The tokenizer of an open checkpoint; nil when it has none.
  init?(of checkpoint: Checkpoint) throws {
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
    if let file = try open("tokenizer.json") {
      try self.init(tokenizerJSON: file.contents(limit: Self.fileLimit), path: file.path)
    } else if let path, let fields = try GGUFTokenizerFields(GGUFFile(ByteRegion(path: path))) {
      try self.init(gguf: fields, path: path)
    } else {
      return nil
    }
    if let file = try open("tokenizer_config.json") {
      let text = try file.contents(limit: Self.fileLimit)
      try apply(config: JSONValue(parsing: text, path: file.path), path: file.path)
    }
    if let file = try open("chat_template.jinja") {
      chatTemplate = String(decoding: try file.contents(limit: Self.fileLimit), as: UTF8.self)
    }
  }
}
