package import ByteIO
import RecurrentPackage
package import Training

extension RunFolder {
  /// Makes the folder of a new run, with its recipe, and holds it.
  ///
  /// - Parameter force: Remove the run that is there.
  package func begin(_ settings: TrainingSettings, force: Bool) throws -> FileLock {
    let lock = try create(force: force)
    try writeRecipe(settings)
    return lock
  }

  /// Writes the settings, and which version did so, in place of what is there.
  package func writeRecipe(_ settings: TrainingSettings) throws {
    try write(ToolVersion.current.comment + TrainingRecipe.text(of: settings), to: recipe)
  }
}
