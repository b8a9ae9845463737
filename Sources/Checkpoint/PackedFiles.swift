package import ByteIO
package import GGUF
import JSON

/// The files beside the weights that a package's GGUF file holds as strings: rules GG-31 and GG-32.
package enum PackedFiles {
  /// `general.architecture` of such a file.
  package static let architecture = "recurrent"

  /// What is packed, in this order; nothing else may be there, as names become paths again.
  package static let names = [
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "chat_template.jinja",
  ]

  private static let prefix = "recurrent.file."

  package static func key(of name: String) -> String { prefix + name }

  /// The files that metadata hold; nil when it is not a package's.
  ///
  /// - Throws: `CheckpointError(.badPackage)` for a file that is none of `names`, and without config.json.
  static func read(
    _ metadata: JSONObject?, path: String
  ) throws(CheckpointError) -> [Checkpoint.SideFile]? {
    guard let metadata, metadata["general.architecture"]?.string == architecture else { return nil }
    var files: [Checkpoint.SideFile] = []
    for member in metadata.members where member.key.hasPrefix(prefix) {
      let name = String(member.key.dropFirst(prefix.count))
      guard names.contains(name), let text = member.value.string else {
        throw CheckpointError(
          .badPackage("\(member.key) is not a file that packages have"), path: path)
      }
      files.append(
        Checkpoint.SideFile(
          name: name, region: ByteRegion(Array(text.utf8), path: "\(path): \(name)")))
    }
    guard files.contains(where: { $0.name == "config.json" }) else {
      throw CheckpointError(.badPackage("\(key(of: "config.json")) is missing"), path: path)
    }
    return files.sorted { $0.name < $1.name }
  }
}

extension GGUFFile {
  /// A file that a package's GGUF file holds; nil when it does not.
  package func packedFile(_ name: String) -> ByteRegion? {
    guard self["general.architecture"]?.string == PackedFiles.architecture,
      let text = self[PackedFiles.key(of: name)]?.string
    else { return nil }
    return ByteRegion(Array(text.utf8), path: name)
  }
}
