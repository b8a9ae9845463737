package import ByteIO
package import Checkpoint
import RecurrentPackage
import Training

extension Checkpoint {
  /// Opens what is at `path`, of any format; a package's tar is read in place, as its folder would
  /// be.
  package static func opening(_ path: String) throws -> Checkpoint {
    try openingFiles(path).checkpoint
  }

  /// The same, with the files that the tensors are read from.
  package static func openingFiles(
    _ path: String
  ) throws -> (checkpoint: Checkpoint, inputs: [ByteRegion]) {
    try refuseWrongPath(path)
    if try RecurrentPackage.isArchive(path) {
      let package = try RecurrentPackage.open(path)
      return (package.checkpoint, package.weightFiles)
    }
    let checkpoint = try Checkpoint.open(path)
    return (checkpoint, try checkpoint.inputs.map { try ByteRegion(path: $0) })
  }
}

/// Refuses the folder of a training run: its model is the package inside.
func refuseRun(_ path: String) throws {
  guard try pathKind(path) == .folder else { return }
  let run = RunFolder(path)
  guard try pathKind(run.metrics) == .file, try pathKind(path + "/config.json") == nil else {
    return
  }
  let hasPackage = try pathKind(run.package) == .folder
  throw ModelError(path, .isRun(package: hasPackage ? run.package : nil))
}
