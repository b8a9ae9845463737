import ByteIO
import Foundation
import JSON
import Safetensors
import Tensors
import TestSupport

@testable import Checkpoint

/// The tensors and the configuration of a fixture, to be changed and written again.
struct StoredModel {
  struct Stored {
    var type: ElementType
    var shape: [Int]
    var bytes: [UInt8]
  }

  var tensors: [String: Stored] = [:]
  var config: JSONObject

  init(_ name: String) throws {
    let path = Fixtures.path("quantised/\(name)")
    let file = try SafetensorsFile(ByteRegion(path: path + "/model.safetensors"))
    for (i, record) in file.tensors.enumerated() {
      guard case .element(let type) = record.type else { continue }
      var bytes = [UInt8](repeating: 0, count: record.byteCount)
      var span = bytes.mutableRawSpan
      try file.read(i, at: 0, into: &span)
      tensors[record.name.string] = Stored(type: type, shape: record.shape, bytes: bytes)
    }
    let text = try ByteRegion(path: path + "/config.json").contents(limit: 1 << 20)
    config = try JSONValue(parsing: text, path: path).object ?? [:]
  }

  /// Sets a member of `quantization_config`, or with dots in `path`, of what it holds.
  mutating func set(_ path: String, _ value: JSONValue?) {
    func changed(_ object: JSONObject, _ keys: ArraySlice<Substring>) -> JSONObject {
      var object = object
      guard let key = keys.first.map(String.init) else { return object }
      object[key] =
        keys.count == 1
        ? value : .object(changed(object[key]?.object ?? [:], keys.dropFirst()))
      return object
    }
    config = changed(config, path.split(separator: ".")[...])
  }

  /// Writes the folder `name`, and gives its path.
  func write(to folder: TemporaryFolder, _ name: String = "model") throws -> String {
    let layout = try SafetensorsLayout(
      tensors.map { .init(name: TensorName($0.key), type: $0.value.type, shape: $0.value.shape) })
    var bytes = layout.header
    for entry in layout.entries { bytes += tensors[entry.tensor.name.string]?.bytes ?? [] }
    try folder.write(bytes, to: name + "/model.safetensors")
    try folder.write(Array(JSONValue.object(config).text().utf8), to: name + "/config.json")
    return folder.file(name)
  }
}
