import ByteIO
import Checkpoint
import RecurrentPackage

extension Checkpoint {
  /// Opens what is at `path`, of any format; a package's tar is read in place, as its folder would
  /// be.
  static func opening(_ path: String) throws -> Checkpoint {
    try openingFiles(path).checkpoint
  }

  /// The same, with the files that the tensors are read from.
  static func openingFiles(
    _ path: String
  ) throws -> (checkpoint: Checkpoint, inputs: [ByteRegion]) {
    if RecurrentPackage.isArchive(path) {
      let package = try RecurrentPackage.open(path)
      return (package.checkpoint, package.weightFiles)
    }
    let checkpoint = try Checkpoint.open(path)
    return (checkpoint, try checkpoint.inputs.map { try ByteRegion(path: $0) })
  }
}
