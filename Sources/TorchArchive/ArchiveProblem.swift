package import ByteIO

/// A broken rule of the files that PyTorch writes, or a file that is some other program's.
package enum ArchiveProblem: Equatable, Sendable {
  /// The bytes are another format's; which, when it is known.
  case notTorch(FileSignature?)
  /// PT-12: entries under two folders, or under none.
  case roots(String, String)
  /// PT-13: no `data.pkl`.
  case noPickle
  case version(String)
  case byteOrder(String)
  case recordTooLarge(String, byteCount: Int, limit: Int)
  /// PT-14: files that are recognised and not read.
  case torchScript
  case numpyArchive
  case barePickle(String)
  case deepSpeed(String)
  case distributedCheckpoint
  /// PT-30: no tensor was found; what the pickle holds instead.
  case noTensors(String)
  /// PT-50: the legacy frame.
  case legacyMagic
  case legacyProtocol(Int)
  case legacyStorages(String)
  /// PT-55: the tar frame.
  case tar(String)
}

extension ArchiveProblem: TorchRule {
  var code: String {
    switch self {
    case .notTorch: "pt.not_torch"
    case .roots: "pt.roots"
    case .noPickle: "pt.no_pickle"
    case .version: "pt.version"
    case .byteOrder: "pt.byteorder"
    case .recordTooLarge: "pt.record_too_large"
    case .torchScript: "pt.torchscript"
    case .numpyArchive: "pt.numpy"
    case .barePickle: "pt.bare_pickle"
    case .deepSpeed: "pt.deepspeed"
    case .distributedCheckpoint: "pt.distributed_checkpoint"
    case .noTensors: "pt.no_tensors"
    case .legacyMagic: "pt.legacy_magic"
    case .legacyProtocol: "pt.legacy_protocol"
    case .legacyStorages: "pt.legacy_storages"
    case .tar: "pt.tar"
    }
  }

  var kind: FailureKind {
    switch self {
    case .torchScript, .numpyArchive, .barePickle, .deepSpeed, .distributedCheckpoint, .noTensors:
      .unsupported
    case .recordTooLarge: .resourceLimit
    default: .malformed
    }
  }

  var message: String {
    switch self {
    case .notTorch(let signature):
      "not a PyTorch file" + (signature.map { "; it looks like \($0)" } ?? "")
    case .roots(let first, let second):
      "all entries must lie in one folder; \(first) and \(second) do not"
    case .noPickle: "the archive has no data.pkl"
    case .version(let text): "the archive's version is \"\(text)\"; 1 to 10 are read"
    case .byteOrder(let text): "the byte order is \"\(text)\"; it must be little or big"
    case .recordTooLarge(let name, let count, let limit):
      "the record \(name) has \(count) bytes; at most \(limit) are allowed"
    case .torchScript: "a TorchScript archive: a program with its weights, not a state dict"
    case .numpyArchive: "a NumPy archive (.npz), not a PyTorch file"
    case .barePickle(let holds): "a bare pickle, not a PyTorch file; it holds \(holds)"
    case .deepSpeed(let what): "a DeepSpeed shard: \(what)"
    case .distributedCheckpoint: "part of a distributed checkpoint (DCP), not a whole one"
    case .noTensors(let holds): "the file holds no tensors by name; it holds \(holds)"
    case .legacyMagic: "the pickle does not begin with PyTorch's magic number"
    case .legacyProtocol(let version): "legacy protocol \(version); only 1001 exists"
    case .legacyStorages(let what): "the storages after the pickles are inconsistent: \(what)"
    case .tar(let what): "the tar archive is not as PyTorch before 0.1.10 wrote it: \(what)"
    }
  }

  var hint: String? {
    switch self {
    case .torchScript: "save module.state_dict() with torch.save, or use a safetensors file"
    case .numpyArchive, .barePickle: "save a dictionary of tensors with torch.save"
    case .deepSpeed: "join the shards with DeepSpeed's zero_to_fp32.py"
    case .distributedCheckpoint:
      "join it with python -m torch.distributed.checkpoint.format_utils dcp_to_torch"
    case .noTensors: "save a state dict: torch.save(model.state_dict(), path)"
    case .legacyStorages: "the file is cut off or damaged; fetch it again"
    case .notTorch(.gitLFSPointer): "fetch the file itself with git lfs pull"
    case .notTorch(.html): "download the file again, and look at what the server answers"
    default: nil
    }
  }
}
