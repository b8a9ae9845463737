import ByteIO
import Tensors

/// Files of programs around PyTorch, told by the keys of their dictionary (PT-34).
extension TorchContents {
  /// What is worth saying of a file that is read.
  var notes: [Warning] {
    func note(_ code: String, _ message: String) -> Warning {
      Warning(code, message, file: graph.path)
    }
    var notes: [Warning] = []
    if let version = graph.value("pytorch-lightning_version", in: graph.root) {
      let text = (try? graph.text(version)) ?? "unknown"
      notes.append(note("pt.lightning", "a checkpoint of PyTorch Lightning \(text)"))
    }
    if isDeepSpeed { notes.append(note("pt.deepspeed", "a DeepSpeed model-states file")) }
    return notes
  }

  private var isDeepSpeed: Bool {
    ["ds_version", "ds_config"].contains { graph.value($0, in: graph.root) != nil }
  }

  /// DeepSpeed splits a model between files; one of several is not read as if it were the model.
  func refuseShard(_ table: TensorTable) throws(TorchError) {
    guard isDeepSpeed else { return }
    let problem: String? =
      if let world = graph.value("mp_world_size", in: graph.root),
        case .int(let count) = graph[world], count > 1
      {
        "one of \(count) tensor-parallel parts"
      } else if graph.value("module", in: graph.root) == nil {
        "it holds no module, but optimizer states"
      } else if table.entries.allSatisfy({ $0.view.elementCount == 0 }) {
        "its tensors are placeholders, the values are in the ZeRO-3 optimizer files"
      } else {
        nil
      }
    if let problem {
      throw TorchError(.archive(.deepSpeed(problem)), path: graph.path)
    }
  }
}
