package import ByteIO
package import Checkpoint
package import GGUF
import JSON
import Tokenizers

extension Checkpoint {
  /// The same checkpoint with the tokenizer files of a Hugging Face folder, written from a GGUF
  /// file's metadata where there are none.
  ///
  /// A tokenizer that is malformed or not supported gives no files, but a warning: the weights can
  /// be used without it.
  package func withTokenizerFiles() throws -> (checkpoint: Checkpoint, warnings: [Warning]) {
    guard format == .gguf, let path = inputs.first,
      !sideFiles.contains(where: { $0.name == "tokenizer.json" }),
      let fields = try GGUFTokenizerFields(GGUFFile(ByteRegion(path: path)))
    else { return (self, []) }
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
      return (copy, [])
    } catch {
      return (self, [Warning(goingOnWithout: error)])
    }
  }

  /// The same checkpoint with a tokenizer.json in place of a tokenizer.model alone, for programs that
  /// make something else of the latter.
  package func withWrittenTokenizer() throws -> Checkpoint {
    let (name, configName) = ("tokenizer.json", "tokenizer_config.json")
    guard let model = sideFiles.first(where: { $0.name == "tokenizer.model" }),
      let written = try Tokenizer(of: self)?.writtenSentencePiece(path: model.region.path)
    else { return self }
    var config = written.config.object ?? [:]
    if let old = sideFiles.first(where: { $0.name == configName }) {
      let text = try old.region.contents(limit: 16 << 20)
      // What named a class, or was an option of one, means nothing to the class that reads the file.
      let options = [
        "tokenizer_class", "auto_map", "legacy", "sp_model_kwargs", "add_prefix_space",
        "use_default_system_prompt", "add_bos_token", "add_eos_token",
      ]
      for member in try JSONValue(parsing: text, path: old.region.path).object?.members ?? []
      where !options.contains(member.key) {
        config[member.key] = member.value
      }
    }
    var copy = self
    copy.sideFiles.removeAll { ["tokenizer.model", configName].contains($0.name) }
    for (name, content) in [(name, written.tokenizer), (configName, .object(config))] {
      let text = Array((content.text(indent: 2) + "\n").utf8)
      copy.sideFiles.append(SideFile(name: name, region: ByteRegion(text, path: name)))
    }
    return copy
  }

  /// The entries by which a GGUF file holds this checkpoint's tokenizer: those of a GGUF source as
  /// they are, or what says the same as its tokenizer files.
  ///
  /// - Parameter rows: Rows of the embedding.
  package func tokenizerMetadata(
    rows: Int
  ) throws -> (entries: [(key: String, value: GGUFValue)], warnings: [Warning]) {
    if format == .gguf, let path = inputs.first {
      let file = try GGUFFile(ByteRegion(path: path))
      return (file.metadata.filter { $0.key.hasPrefix("tokenizer.") }, [])
    }
    do {
      guard let tokenizer = try Tokenizer(of: self) else { return ([], []) }
      let fields = try GGUFTokenizerFields(tokenizer, rows: rows)
      return (
        fields.metadata, fields.approximations.map { Warning("convert.tokenizer_differs", $0) }
      )
    } catch let error as any DiagnosedError where !(error is FileError) {
      return ([], [Warning(goingOnWithout: error)])
    }
  }
}

extension Warning {
  /// What is wrong with a part that is left out.
  fileprivate init(goingOnWithout error: any DiagnosedError) {
    self.init(error.code, error.message, file: error.file, offset: error.offset)
  }
}
