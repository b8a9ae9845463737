import ByteIO

/// Which of a folder's files are the checkpoint's weights.
struct WeightChoice {
  enum Files {
    case single(String)
    case index(String)
  }

  let format: Checkpoint.Format
  let files: Files
  private(set) var warnings: [Warning] = []

  /// Chooses safetensors before PyTorch before GGUF, and within a format the file that
  /// transformers would load: the single one before the index, the usual name before any other.
  init(_ folder: CheckpointFolder) throws(CheckpointError) {
    let forms: [(Checkpoint.Format, usual: String, endings: [String])] = [
      (.safetensors, "model.safetensors", [".safetensors"]),
      (.torch, "pytorch_model.bin", [".bin", ".pth", ".pt"]),
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
      if case .single(let name) = files, let index = indexes.first {
        warnings.append(
          Warning(
            "checkpoint.single_and_index", "\(name) is used, not the index \(index)",
            file: folder.path))
      }
      return
    }
    throw folder.noWeights
  }

  func open(in folder: CheckpointFolder) throws -> WeightFiles {
    switch files {
    case .index(let name): return try WeightFiles(index: name, in: folder, format: format)
    case .single(let name):
      guard let region = try folder.open(name) else { throw folder.noWeights }
      return try WeightFiles(file: region)
    }
  }

  /// Whether `name` is a weight file or an index, by its ending.
  static func isWeightFile(_ name: String) -> Bool {
    let endings = [
      ".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".onnx", ".ot",
      ".safetensors.index.json", ".bin.index.json",
    ]
    return endings.contains { name.hasSuffix($0) }
  }

  /// Files that PyTorch trainers leave beside the weights.
  private static func isTrainerState(_ name: String) -> Bool {
    ["optimizer", "scheduler", "training_args", "rng_state", "scaler"].contains {
      name.hasPrefix($0)
    }
  }

  private static func choose(
    _ singles: [String], _ indexes: [String], usual: String, in folder: CheckpointFolder
  ) throws(CheckpointError) -> Files? {
    if singles.contains(usual) { return .single(usual) }
    if indexes.contains(usual + ".index.json") { return .index(usual + ".index.json") }
    if let index = indexes.first, indexes.count == 1 { return .index(index) }
    if let single = singles.first, singles.count == 1 { return .single(single) }
    if singles.isEmpty && indexes.isEmpty { return nil }
    throw CheckpointError(.ambiguous(indexes.isEmpty ? singles : indexes), path: folder.path)
  }
}
