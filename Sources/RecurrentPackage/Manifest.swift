package import ByteIO
package import JSON
package import Tensors

/// What `manifest.json` says of a package: its files and tensors, and where each byte came from.
package struct Manifest: Equatable, Sendable {
  package static let schema = "ckpt.manifest/1"
  package static let name = "manifest.json"
  /// The report of `ckpt verify`.
  package static let report = "VERIFICATION.json"
  /// Files beside the manifest that no manifest lists: they are made from it, or about it.
  package static let unlisted = [name, "model.sig", report]

  package struct File: Equatable, Sendable {
    /// Relative, with `/` between folders.
    package var path: String
    package var byteCount: Int
    package var digest: Digest

    package init(path: String, byteCount: Int, digest: Digest) {
      self.path = path
      self.byteCount = byteCount
      self.digest = digest
    }
  }

  package struct Tensor: Equatable, Sendable {
    package var name: TensorName
    package var file: String
    /// Position of the first byte in `file`.
    package var offset: Int
    package var byteCount: Int
    package var type: ElementType
    package var shape: [Int]
    package var digest: Digest
    /// What was done, in words; `["copy"]` for untouched bytes.
    package var operations: [String]
    package var parts: [Part]

    package var isCopy: Bool { operations == ["copy"] || operations == ["concatenate rows"] }
  }

  /// Rows of a source tensor that went into a tensor, in order.
  package struct Part: Equatable, Sendable {
    package var tensor: TensorName
    package var rows: Range<Int>
    /// Base name of the source's file.
    package var file: String
    /// Position of the first of these rows in `file`; nil when they do not lie there as they are.
    package var offset: Int?
    package var byteCount: Int
    /// The format's own spelling, such as `BF16` or `Q4_1`; of codes that were decoded, their kind in
    /// words.
    package var type: String
  }

  /// In byte order of the paths.
  package var files: [File]
  /// In byte order of the names.
  package var tensors: [Tensor]
  /// The source's files, by base name.
  package var sources: [File]
  /// What else was recorded: the tool, the retrofit, a training run.
  package var record: JSONObject

  /// Whether a training run is on record.
  package var isTrained: Bool { record["training"]?.array?.isEmpty == false }

  package init(files: [File], tensors: [Tensor], sources: [File], record: JSONObject) {
    self.files = files.sorted { ExactString($0.path) < ExactString($1.path) }
    self.tensors = tensors.sorted { $0.name < $1.name }
    self.sources = sources
    self.record = record
  }

  /// The digest of all listed files by the rule of OpenSSF model signing: SHA-256 over the files'
  /// digests, 32 bytes each, in byte order of the paths.
  package var root: Digest {
    var hash = SHA256()
    for file in files { hash.update(file.digest.bytes) }
    return hash.finish()
  }
}
