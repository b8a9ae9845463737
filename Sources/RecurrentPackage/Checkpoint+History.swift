import ByteIO
package import Checkpoint
package import JSON

extension Checkpoint {
  /// What the manifest beside the weights tells of how they came about: `initialisation`, `retrofit`
  /// and `training`, where it has them.
  package func history() throws -> JSONObject {
    var history = JSONObject()
    guard let file = sideFiles.first(where: { $0.name == Manifest.name }) else { return history }
    let manifest = try JSONValue(
      parsing: file.region.contents(limit: 256 << 20), path: file.region.path)
    for key in ["initialisation", "retrofit", "training"] { history[key] = manifest[key] }
    return history
  }
}
