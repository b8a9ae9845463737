package import ByteIO
package import JSON
package import ModelGraph

/// Everything that goes into a package, before any of it is written.
package struct PackageContents: Sendable {
  /// A small file, taken over from the source or made in memory.
  package struct SideFile: Sendable {
    package var name: String
    package var region: ByteRegion

    package init(name: String, region: ByteRegion) {
      self.name = name
      self.region = region
    }

    package init(name: String, text: String) {
      self.init(name: name, region: ByteRegion(Array(text.utf8), path: name))
    }
  }

  /// The tensors; their order does not matter.
  package var parameters: [Parameter]
  package var config: JSONObject
  /// Other files: tokenizer, licence, card.
  package var sideFiles: [SideFile]
  /// The source's files, whose digests are recorded.
  package var sources: [ByteRegion]
  /// Further members of the manifest.
  package var record: JSONObject
  /// Strings for the `__metadata__` of the weight files.
  package var metadata: [(key: String, value: String)]

  package init(
    parameters: [Parameter], config: JSONObject, sideFiles: [SideFile], sources: [ByteRegion],
    record: JSONObject, metadata: [(key: String, value: String)]
  ) {
    self.parameters = parameters
    self.config = config
    self.sideFiles = sideFiles
    self.sources = sources
    self.record = record
    self.metadata = metadata
  }
}

/// How a package is written.
package struct WriteOptions: Sendable {
  /// Most bytes of tensors in one weight file; nil for a single file.
  package var shardLimit: Int?
  package var force = false
  package var allowOverflow = false
  /// Threads that copy and hash.
  package var threads = 2

  package init() {}
}
