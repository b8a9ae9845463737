package import ByteIO
package import JSON
package import Tensors

/// One face for every format: the tensors of what is at a path, its config and its side files.
///
/// Opening reads headers only, and no more of them than the tensor table needs.
package struct Checkpoint: RecipeSource, Sendable {
  package enum Format: String, Sendable { case safetensors, torch, gguf }
  package enum Layout: String, Sendable { case file, folder }

  /// A file of the folder that holds no weights.
  package struct SideFile: Sendable {
    package var name: String
    package var region: ByteRegion

    package init(name: String, region: ByteRegion) {
      self.name = name
      self.region = region
    }
  }

  /// The path, as it was given.
  package let path: String
  package let format: Format
  package let layout: Layout
  /// The tensors of all weight files: in the order of the files, then of their position.
  package let tensors: [TensorRecord]
  /// The folder's `config.json`; nil when it has none, or a single file was opened.
  package let config: JSONObject?
  /// What the first weight file says of itself: `__metadata__`, or GGUF's keys and values.
  package let metadata: JSONObject?
  /// Everything else in the folder, in byte order of the names: tokenizer, licence, card.
  package var sideFiles: [SideFile]
  /// Paths of the weight files and their index, all that was read for the tensors.
  package let inputs: [String]
  /// What was odd but allowed.
  package let warnings: [Warning]

  /// The opened weight files, all of one format.
  package let containers: [any TensorContainer]
  private let places: [TensorName: Place]

  private struct Place: Sendable {
    var record: Int
    var container: Int
    var index: Int
  }

  /// Puts together what was found; the tensors' names must be distinct.
  init(
    path: String, layout: Layout, weights: WeightFiles, config: JSONObject? = nil,
    sideFiles: [SideFile] = [], warnings: [Warning] = []
  ) throws(CheckpointError) {
    self.path = path
    self.layout = layout
    self.config = config
    self.sideFiles = sideFiles
    format = weights.format
    metadata = weights.metadata
    inputs = weights.inputs
    containers = weights.containers
    self.warnings = warnings + weights.warnings + containers.flatMap(\.warnings)
    tensors = containers.flatMap(\.tensors)
    var places: [TensorName: Place] = [:]
    places.reserveCapacity(tensors.count)
    var record = 0
    for (i, container) in containers.enumerated() {
      for (j, tensor) in container.tensors.enumerated() {
        let place = Place(record: record, container: i, index: j)
        if let first = places.updateValue(place, forKey: tensor.name) {
          throw CheckpointError(
            .tensorTwice(tensors[first.record].file, tensor.file), path: path, tensor: tensor.name)
        }
        record += 1
      }
    }
    self.places = places
  }

  package func record(_ name: TensorName) -> TensorRecord? {
    places[name].map { tensors[$0.record] }
  }

  package func region(_ name: TensorName) -> ByteRegion? {
    places[name].flatMap { containers[$0.container].region(of: $0.index) }
  }

  package func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    let place = try place(name)
    try containers[place.container].read(place.index, at: offset, into: &bytes)
  }

  private func place(_ name: TensorName) throws(CheckpointError) -> Place {
    guard let place = places[name] else {
      throw CheckpointError(.tensorMissing, path: path, tensor: name)
    }
    return place
  }
}
