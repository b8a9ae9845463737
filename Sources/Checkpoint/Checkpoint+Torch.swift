package import Tensors
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

  /// Tensors that share their bytes with another, by that one's name: of PyTorch files, which alone
  /// can say so, every view of a storage that an earlier tensor is already.
  package var ties: [TensorName: TensorName] {
    var ties: [TensorName: TensorName] = [:]
    for file in torchFiles {
      for (tied, first) in file.ties { ties[file.tensors[tied].name] = file.tensors[first].name }
    }
    return ties
  }

  /// Reads all data for which the files keep checksums, and throws when one is wrong.
  package func verifyChecksums() throws {
    for file in torchFiles { try file.check() }
  }

  private var torchFiles: [TorchFile] { stored.containers.compactMap { $0 as? TorchFile } }
}
