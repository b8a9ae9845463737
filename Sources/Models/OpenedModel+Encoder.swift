import ByteIO
import Checkpoint
import JSON
import ModelGraph
package import Tokenizers
package import Training

extension OpenedModel {
  /// What makes documents' tokens; nil when the model has no tokenizer.
  ///
  /// - Parameter chat: How conversations become text, given the tokenizer.
  package func textEncoder(
    chat: (Tokenizer) throws -> TextEncoder.Chat?
  ) throws -> TextEncoder? {
    guard let tokenizer = try Tokenizer(of: checkpoint) else { return nil }
    let ending = endToken
    return TextEncoder(
      opening: try tokenizer.encode("", addSpecialTokens: true).filter { $0 != ending },
      ending: ending, identity: try tokenizerIdentity(), chat: try chat(tokenizer),
      encode: { try tokenizer.encode($0) })
  }

  /// The model's end-of-text token; nil when its configuration names none.
  package var endToken: Int32? {
    let config = graph.config["eos_token_id"] ?? checkpoint.config?["eos_token_id"]
    let id = config?.integer ?? config?.array?.first?.integer
    return id.flatMap { Int32(exactly: $0) }
  }

  private func tokenizerIdentity() throws -> Digest {
    var description: [JSONValue] = []
    for file in checkpoint.sideFiles where Tokenizer.fileNames.contains(file.name) {
      let digest = SHA256.digest(of: try file.region.bytes(0..<file.region.byteCount))
      description += [.string(file.name), .string(digest.description)]
    }
    if !description.isEmpty {
      return SHA256.digest(of: Array(JSONValue.array(description).text().utf8))
    }
    let members = checkpoint.metadata?.members.filter { $0.key.hasPrefix("tokenizer.") } ?? []
    return SHA256.digest(of: Array(JSONValue.object(JSONObject(members)).text().utf8))
  }
}
