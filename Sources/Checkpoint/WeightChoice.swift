import ByteIO
import Safetensors

/// Which of a folder's files are the checkpoint's weights.
struct WeightChoice {
  enum Files {
    case single(String)
    case index(String)
    /// All files of a numbered set that has no index.
    case set([String])
  }

  let format: Checkpoint.Format
  let files: Files
  private(set) var warnings: [Warning] = []

  /// Chooses safetensors before PyTorch before GGUF, and within a format the file that
  /// transformers would load: the single one before the index, the usual name before any other.
  init(_ folder: CheckpointFolder) throws(CheckpointError) {
    let forms: [(Checkpoint.Format, usual: String, endings: [String])] = [
      (.safetensors, "model.safetensors", [".safetensors"]),
      (.torch, "pytorch_model.bin", [".bin", ".pth", ".pt", ".ckpt"]),
      (.gguf, "model.gguf", [".gguf"]),
    ]
    for (format, usual, endings) in forms {
      let singles = folder.names.filter { name in
        endings.contains { name.hasSuffix($0) } && !Self.isTrainerState(name)
      }
      let indexes = folder.names.filter { name in
        endings.contains { name.hasSuffix($0 + ".index.json") }
      }
      guard let files = try Self.choose(singles, indexes, usual: usual, in: folder) else {
        continue
      }
      self.format = format
      self.files = files
      switch files {
      case .single(let name):
        guard let index = indexes.first else { return }
        warnings.append(
          Warning(
            "checkpoint.single_and_index", "\(name) is used, not the index \(index)",
            file: folder.path))
      case .set(let names) where format != .gguf:
        warnings.append(
          Warning(
            "checkpoint.no_index", "\(names.count) numbered files are read without an index",
            file: folder.path))
      case .index, .set: break
      }
      return
    }
    let foreign = ForeignCheckpoint(folder.names)
    throw CheckpointError(foreign.map { .foreign($0) } ?? .noWeights, path: folder.path)
  }

  /// The shards of the index `name`.
  init(index name: String) {
    format = name.hasSuffix(".safetensors.index.json") ? .safetensors : .torch
    files = .index(name)
  }

  func open(in folder: CheckpointFolder) throws -> WeightFiles {
    switch files {
    case .index(let name): return try WeightFiles(index: name, in: folder, format: format)
    case .single(let name):
      return try WeightFiles(file: folder.require(name), sibling: folder.open)
    case .set(let names) where format == .gguf:
      return try WeightFiles(file: folder.require(names[0]), sibling: folder.open)
    case .set(let names):
      return try WeightFiles(format: format, files: names.map { try folder.require($0) })
    }
  }

  /// Whether `name` is a weight file or an index, by its ending.
  static func isWeightFile(_ name: String) -> Bool {
    let endings = [
      ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".ot",
      ".safetensors.index.json", ".bin.index.json",
    ]
    return endings.contains { name.hasSuffix($0) }
  }

  /// Files that PyTorch trainers leave beside the weights.
  private static func isTrainerState(_ name: String) -> Bool {
    ["optimizer", "scheduler", "training_args", "rng_state", "random_states", "scaler"].contains {
      name.hasPrefix($0)
    } || name.hasSuffix("_optim_states.pt")
  }

  private static func choose(
    _ singles: [String], _ indexes: [String], usual: String, in folder: CheckpointFolder
  ) throws(CheckpointError) -> Files? {
    if singles.contains(usual) { return .single(usual) }
    if indexes.contains(usual + ".index.json") { return .index(usual + ".index.json") }
    if let index = indexes.first, indexes.count == 1 { return .index(index) }
    guard let first = singles.first else { return nil }
    if let name = ShardName(first), name.count > 1 {
      return try set(of: name, singles, in: folder)
    }
    if indexes.isEmpty && singles.count == 1 { return .single(first) }
    if let foreign = ForeignCheckpoint(singles) {
      throw CheckpointError(.foreign(foreign), path: folder.path)
    }
    throw CheckpointError(.ambiguous(indexes.isEmpty ? singles : indexes), path: folder.path)
  }

  /// The numbered set that `name` is of, when it is whole and there is no other file.
  private static func set(
    of name: ShardName, _ singles: [String], in folder: CheckpointFolder
  ) throws(CheckpointError) -> Files {
    func sibling(_ number: Int) -> String {
      ShardName(stem: name.stem, number: number, count: name.count, ending: name.ending).description
    }
    let found = Set(singles.map { ExactString($0) })
    let names = (1...min(name.count, 99_999)).map(sibling)
    if let missing = names.first(where: { !found.contains(ExactString($0)) }) {
      throw CheckpointError(.shardMissing(missing), path: folder.path)
    }
    guard names.count == singles.count else {
      throw CheckpointError(.ambiguous(singles), path: folder.path)
    }
    return .set(names)
  }
}
