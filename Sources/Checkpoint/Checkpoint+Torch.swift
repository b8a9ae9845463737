package import TorchArchive

extension Checkpoint {
  /// The classes and functions that the pickles of PyTorch files name, each once, in order of first
  /// mention; none for other formats. Nothing of them was executed.
  package var pickleGlobals: [PickleGlobal] {
    var globals: [PickleGlobal] = []
    for file in torchFiles {
      for global in file.globals where !globals.contains(global) { globals.append(global) }
    }
    return globals
  }

  /// Reads all data for which the files keep checksums, and throws when one is wrong.
  package func verifyChecksums() throws {
    for file in torchFiles { try file.check() }
  }

  private var torchFiles: [TorchFile] { containers.compactMap { $0 as? TorchFile } }
}
