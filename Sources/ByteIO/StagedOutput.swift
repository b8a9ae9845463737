import Platform
import SystemPackage

/// An output file or folder under a temporary name, until `publish()` gives it its own.
///
/// Whatever happens before that (an error, a signal, a full disk), the old state stays; what was
/// staged is removed when the value goes.
package final class StagedOutput: Sendable {
  /// Where the output will be.
  package let destination: String
  /// Where it is written now, on the same disk.
  package let temporary: String
  private let isFolder: Bool
  private let replaces: Bool
  private let staging: StagingFolder
  /// The folder of the output, open to be synced.
  private let parent: Descriptor

  /// Prepares an output; for a folder, creates the temporary one.
  ///
  /// - Parameters:
  ///   - force: Replace what is at `destination`; without it an existing output is an error.
  ///   - inputs: Paths being read; none may be the destination.
  ///   - needed: Bytes that will be written; checked against the free disk space.
  package init(
    at destination: String, isFolder: Bool, force: Bool, inputs: [String], needed: Int
  ) throws(FileError) {
    self.destination = destination
    self.isFolder = isFolder
    replaces = force
    let (folder, name) = splitPath(destination)
    try Self.check(destination, folder + "/" + name, force: force, inputs: inputs)
    try StagingFolder.removeStale(name, in: folder)
    try requireFreeSpace(needed, in: folder)
    do { parent = try Descriptor(opening: folder, for: .folder) } catch {
      throw .refused("open", folder, error)
    }
    do throws(FileError) {
      staging = try StagingFolder(of: name, in: folder)
      temporary = staging.path + "/" + name
      if isFolder { try createFolder(temporary) }
    } catch {
      parent.abandon()
      throw error
    }
  }

  deinit { parent.abandon() }

  private static func check(
    _ destination: String, _ path: String, force: Bool, inputs: [String]
  ) throws(FileError) {
    guard let link = try linkKind(path) else { return }
    let existing = try fileStatus(path)
    if let existing {
      for input in inputs where try fileStatus(input)?.identity == existing.identity {
        throw FileError(destination, .overwritesInput)
      }
    }
    if !force { throw FileError(destination, .exists) }
    // A device or a pipe is nothing that a rename may replace; a link is.
    if (existing?.kind ?? link) == .other, existing != nil {
      throw FileError(destination, .notRegular)
    }
  }

  /// Path of `name` inside a staged folder.
  package func path(_ name: String) -> String { temporary + "/" + name }

  /// Makes the staged output visible under its name, in one step.
  ///
  /// What can fail comes before that step. After it the output stands, and what goes wrong is no
  /// more than a warning.
  package func publish() throws(FileError) {
    if isFolder { try syncFolder(temporary) }
    try Interruption.check()
    try rename()
    staging.removeSilently()
    do { try parent.sync() } catch {
      LateWarnings.add(
        Warning(
          "io.not_synced", "written, but a power failure could still undo it: \(error)",
          file: destination))
    }
  }

  /// Gives the output its name; replaces what is there only when asked to.
  private func rename() throws(FileError) {
    // Other writers of the same name may come between a look and a deed, but not for ever.
    for _ in 0..<100 {
      do {
        try moveToFree(temporary, destination)
        return
      } catch .fileExists {
        if !replaces { throw FileError(destination, .exists) }
      } catch { throw .refused("publish", destination, error) }
      do {
        // What was there lies under the temporary name then, and goes with it.
        try exchange(temporary, destination)
        return
      } catch .noSuchFileOrDirectory { continue } catch {
        throw .refused("publish", destination, error)
      }
    }
    throw .refused("publish", destination, .resourceBusy)
  }
}

/// Throws when the disk of `folder` has not `needed` bytes left.
package func requireFreeSpace(_ needed: Int, in folder: String) throws(FileError) {
  let free: Int
  do { free = try freeSpace(in: folder) } catch { throw .refused("open", folder, error) }
  guard needed <= free else { throw FileError(folder, .noSpace(needed: needed, free: free)) }
}

private func syncFolder(_ path: String) throws(FileError) {
  let descriptor: Descriptor
  do { descriptor = try Descriptor(opening: path, for: .folder) } catch {
    throw .refused("open", path, error)
  }
  defer { descriptor.abandon() }
  do { try descriptor.sync() } catch { throw .refused("sync", path, error) }
}
