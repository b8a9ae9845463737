package import ByteIO
package import Tensors

/// Why what is at a path cannot be used as a checkpoint.
package struct CheckpointError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The folder holds no weight file.
    case noWeights
    /// The folder holds weights that are not read; whose.
    case foreign(ForeignCheckpoint)
    /// Several weight files, and nothing says which is meant.
    case ambiguous([String])
    /// The file is none that holds weights; what it looks like, when that is known.
    case unknownFormat(FileSignature?)
    /// A small text stands where the file should: a pointer or a page of a failed download.
    case notDownloaded(FileSignature)
    /// `config.json` is JSON, but not an object.
    case configNotObject
    /// Two files of one set hold the same tensor.
    case tensorTwice(String, String)
    /// A numbered set of files is not whole.
    case shardMissing(String)
    /// No tensor has the name.
    case tensorMissing
    /// The elements are no real numbers.
    case notNumeric(StorageType)
    /// A GGUF file that says it is a package is none.
    case badPackage(String)
  }

  package var problem: Problem
  package var path: String
  package var name: TensorName?

  package init(_ problem: Problem, path: String, tensor: TensorName? = nil) {
    self.problem = problem
    self.path = path
    name = tensor
  }

  package var file: String? { path }
  package var tensor: String? { name?.string }

  package var kind: FailureKind {
    switch problem {
    case .noWeights, .foreign, .ambiguous, .notNumeric: .unsupported
    default: .malformed
    }
  }

  package var code: String {
    switch problem {
    case .noWeights: "checkpoint.no_weights"
    case .foreign: "checkpoint.foreign"
    case .ambiguous: "checkpoint.ambiguous"
    case .unknownFormat: "checkpoint.unknown_format"
    case .notDownloaded: "checkpoint.not_downloaded"
    case .configNotObject: "config.not_object"
    case .tensorTwice: "checkpoint.tensor_twice"
    case .shardMissing: "checkpoint.shard_missing"
    case .tensorMissing: "checkpoint.tensor_missing"
    case .notNumeric: "checkpoint.not_numeric"
    case .badPackage: "gguf.bad_package"
    }
  }

  package var message: String {
    switch problem {
    case .noWeights: "the folder holds no safetensors, PyTorch or GGUF weights"
    case .foreign(let kind): "the folder holds \(kind.description), which is not read here"
    case .ambiguous(let names):
      "the folder holds several weight files: " + names.joined(separator: ", ")
    case .unknownFormat(let signature):
      "not a weight file" + (signature.map { "; it looks like \($0)" } ?? "")
    case .notDownloaded(let found): "the file is \(found)"
    case .configNotObject: "config.json is JSON, but not an object"
    case .tensorTwice(let first, let second): "the tensor is in \(first) and in \(second)"
    case .shardMissing(let name): "the files are a numbered set, of which \(name) is missing"
    case .tensorMissing: "there is no such tensor"
    case .notNumeric(let type): "\(type) elements cannot be read as numbers"
    case .badPackage(let reason): "not a package in GGUF: \(reason)"
    }
  }

  package var hint: String? {
    switch problem {
    case .noWeights:
      "give a folder with model.safetensors, an index and its shards, pytorch_model.bin or a GGUF"
    case .foreign(let kind): kind.hint
    case .ambiguous: "give the path of one file"
    case .notDownloaded(let found),
      .unknownFormat(let found?) where found.isFailedDownload:
      found == .html
        ? "download the file again: the address or the access was wrong"
        : "fetch the file itself with `git lfs pull`"
    case .unknownFormat: "weights are read from safetensors, PyTorch (zip or legacy) and GGUF files"
    default: nil
    }
  }
}

extension FileSignature {
  /// Whether a download leaves such a file where another was meant.
  fileprivate var isFailedDownload: Bool { self == .gitLFSPointer || self == .html }
}

extension ByteRegion {
  /// Refuses a git-LFS pointer or an HTML page that lies where a text file should.
  package func requireDownloaded() throws {
    if let found = try FileSignature(of: self), found.isFailedDownload {
      throw CheckpointError(.notDownloaded(found), path: path)
    }
  }
}
