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

  /// A warning for each name that would have run code.
  var dangers: [Warning] {
    graph.globals.filter { $0.severity == .dangerous }.map {
      Warning(
        "pt.dangerous_name", "the pickle names \($0), which can run code; nothing was executed",
        file: graph.path)
    }
  }

  private var isDeepSpeed: Bool {
    ["ds_version", "ds_config"].contains { graph.value($0, in: graph.root) != nil }
  }

  /// DeepSpeed splits a model between files; one of several is not read as if it were the model.
  func refuseShard() throws(TorchError) {
    guard isDeepSpeed else { return }
    if let world = graph.value("mp_world_size", in: graph.root),
      case .int(let count) = graph[world], count > 1
    {
      throw deepSpeed("one of \(count) tensor-parallel parts")
    }
    if graph.value("module", in: graph.root) == nil {
      throw deepSpeed("it holds no module, but optimizer states")
    }
  }

  /// ZeRO-3 leaves empty tensors where the weights were.
  func refusePlaceholders(_ table: TensorTable) throws(TorchError) {
    if isDeepSpeed, table.entries.allSatisfy({ $0.view.elementCount == 0 }) {
      throw deepSpeed("its tensors are placeholders, the values are in the ZeRO-3 optimizer files")
    }
  }

  private func deepSpeed(_ what: String) -> TorchError {
    TorchError(.archive(.deepSpeed(what)), path: graph.path)
  }
}
