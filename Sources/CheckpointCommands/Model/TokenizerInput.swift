import ByteIO
import Checkpoint
import Tokenizers

extension Tokenizer {
  /// Largest tokenizer.json that is read, in bytes; those of 250,000 tokens have about 35 MB.
  private static let fileLimit = 256 << 20

  /// The tokenizer at `path`: a tokenizer.json, or a folder that holds one. No weights are needed.
  init(at path: String) throws {
    guard let tokenizer = try Tokenizer(findingAt: path) else {
      throw ModelError(path, .noTokenizer)
    }
    self = tokenizer
  }

  /// The tokenizer of an open checkpoint; nil when it has none.
  init?(of checkpoint: Checkpoint) throws {
    guard let file = checkpoint.sideFiles.first(where: { $0.name == "tokenizer.json" }) else {
      return nil
    }
    self = try Tokenizer(file.region)
  }

  private init?(findingAt path: String) throws {
    switch pathKind(path) {
    case .folder:
      let file = path + "/tokenizer.json"
      guard pathKind(file) != nil else { return nil }
      self = try Tokenizer(ByteRegion(path: file))
    default:
      let region = try ByteRegion(path: path)
      let start = try region.bytes(0..<min(1, region.byteCount))
      guard start == [UInt8(ascii: "{")] else {
        guard let tokenizer = try Tokenizer(of: Checkpoint.open(path)) else { return nil }
        self = tokenizer
        return
      }
      self = try Tokenizer(region)
    }
  }

  private init(_ region: ByteRegion) throws {
    try self.init(
      tokenizerJSON: region.contents(limit: Self.fileLimit), path: region.path)
  }
}
