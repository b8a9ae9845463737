import ByteIO
import Tensors

/// The tensors of all weight files as the files hold them, whatever their bytes stand for.
struct StoredTensors: Sendable {
  /// Path of the checkpoint, for messages.
  let path: String
  /// The opened weight files, all of one format.
  let containers: [any TensorContainer]
  /// In the order of the files, then of their position.
  let records: [TensorRecord]
  /// What decoders keep of their work.
  let tiles = TileCache()
  private let places: [TensorName: Place]

  private struct Place: Sendable {
    var record: Int
    var container: Int
    var index: Int
  }

  /// The names of all tensors must be distinct.
  init(_ containers: [any TensorContainer], path: String) throws(CheckpointError) {
    self.path = path
    self.containers = containers
    records = containers.flatMap(\.tensors)
    var places: [TensorName: Place] = [:]
    places.reserveCapacity(records.count)
    var record = 0
    for (i, container) in containers.enumerated() {
      for (j, tensor) in container.tensors.enumerated() {
        let place = Place(record: record, container: i, index: j)
        if let first = places.updateValue(place, forKey: tensor.name) {
          throw CheckpointError(
            .tensorTwice(records[first.record].file, tensor.file), path: path, tensor: tensor.name)
        }
        record += 1
      }
    }
    self.places = places
  }

  func record(_ name: TensorName) -> TensorRecord? { places[name].map { records[$0.record] } }

  func region(_ name: TensorName) -> ByteRegion? {
    places[name].flatMap { containers[$0.container].region(of: $0.index) }
  }

  func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    guard let place = places[name] else {
      throw CheckpointError(.tensorMissing, path: path, tensor: name)
    }
    try containers[place.container].read(place.index, at: offset, into: &bytes)
  }

  /// The stored bytes `range` of tensor `name`.
  func bytes(_ name: TensorName, _ range: Range<Int>) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    var span = bytes.mutableRawSpan
    try read(name, at: range.lowerBound, into: &span)
    return bytes
  }

  /// The elements `range` of tensor `name` as float32.
  func floats(_ name: TensorName, _ range: Range<Int>) throws -> [Float] {
    var values = [Float](repeating: 0, count: range.count)
    var span = values.mutableSpan
    try readFloats(name, elements: range, into: &span)
    return values
  }
}
