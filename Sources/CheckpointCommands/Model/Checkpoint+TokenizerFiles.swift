import ByteIO
import Checkpoint
import GGUF
import JSON
import Tokenizers

extension Checkpoint {
  /// The same checkpoint with the tokenizer files of a Hugging Face folder, written from a GGUF
  /// file's metadata where there are none; as it is when that tokenizer is not supported.
  func withTokenizerFiles() throws -> Checkpoint {
    guard format == .gguf, let path = inputs.first,
      !sideFiles.contains(where: { $0.name == "tokenizer.json" }),
      let fields = try GGUFTokenizerFields(GGUFFile(ByteRegion(path: path)))
    else { return self }
    var copy = self
    do throws(TokenizerError) {
      _ = try Tokenizer(gguf: fields, path: path)
      for (name, content) in [
        ("tokenizer.json", try fields.tokenizerJSON()),
        ("tokenizer_config.json", try fields.tokenizerConfig()),
      ] where !sideFiles.contains(where: { $0.name == name }) {
        let text = Array((content.text(indent: 2) + "\n").utf8)
        copy.sideFiles.append(SideFile(name: name, region: ByteRegion(text, path: name)))
      }
    } catch {
      guard error.kind == .unsupported else { throw error }
    }
    return copy
  }
}
