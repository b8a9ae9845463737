import ByteIO
import JSON
import Kernels
import Safetensors
import Tensors

/// A run between two steps: parameters, moments and progress, written and read bit for bit.
///
/// The file is a safetensors file of flat F32 tensors; `formats/run-folder.md` has the details.
package struct TrainerState {
  package var progress: TrainerProgress
  package static let fileName = "trainer_state.safetensors"

  private static let progressKey = "ckpt.trainer"
  private static let modelKey = "ckpt.model"

  /// Writes the state of `optimizer` and `model` to the new file `path`.
  ///
  /// - Parameter identity: Of the model that the run started from.
  package func write(
    model: any TrainingModel, optimizer: Optimizer, identity: String, to path: String
  ) throws {
    let buffers = Self.buffers(model, optimizer)
    let layout = try SafetensorsLayout(
      buffers.map { .init(name: $0.name, type: .f32, shape: [$0.byteCount / 4]) },
      metadata: [(Self.modelKey, identity), (Self.progressKey, progress.json.text())])
    var output = try OutputFile(creating: path)
    try output.write(layout.header)
    for entry in layout.entries {
      guard let (_, buffer, count) = buffers.first(where: { $0.name == entry.tensor.name }) else {
        continue
      }
      let tile = 1 << 22
      for start in stride(from: 0, to: count, by: tile) {
        var bytes = [UInt8](repeating: 0, count: min(tile, count - start))
        var span = bytes.mutableRawSpan
        buffer.read(at: start, into: &span)
        try output.write(bytes)
      }
    }
    _ = try output.finish()
  }

  /// Reads the file `path` into `optimizer` and `model`, which must have the same tensors, and have
  /// started from the same model: what is not trained comes from there.
  package init(
    from path: String, model: any TrainingModel, optimizer: Optimizer, identity: String
  ) throws {
    let file = try SafetensorsFile(ByteRegion(path: path))
    if let started = file.metadata?[Self.modelKey]?.string, started != identity {
      throw TrainingError(.otherModel, path)
    }
    func broken(_ reason: String) -> TrainingError { TrainingError(.brokenState(reason), path) }
    guard let text = file.metadata?[Self.progressKey]?.string,
      let progress = TrainerProgress(try JSONValue(parsing: Array(text.utf8), path: path))
    else { throw broken("no progress in its metadata") }
    for (name, buffer, count) in Self.buffers(model, optimizer) {
      guard let index = file.tensors.firstIndex(where: { $0.name == name }) else {
        throw broken("no tensor \(name)")
      }
      let found = file.tensors[index].byteCount
      guard found == count, file.tensors[index].type == .element(.f32) else {
        throw broken("tensor \(name) has \(found) bytes, this run needs \(count)")
      }
      try buffer.withMutableBytes { bytes in
        var target = bytes._mutatingExtracting(0..<count)
        try file.read(index, at: 0, into: &target)
      }
    }
    optimizer.stepCount = progress.updates
    self.progress = progress
  }

  package init(progress: TrainerProgress) { self.progress = progress }

  /// What a run carries on, and how many bytes of each: of the parameters those that are trained.
  private static func buffers(
    _ model: any TrainingModel, _ optimizer: Optimizer
  ) -> [(name: TensorName, buffer: Buffer, byteCount: Int)] {
    [
      ("parameters", model.parameters, model.gradients.byteCount),
      ("first_moments", optimizer.first, optimizer.first.byteCount),
      ("second_moments", optimizer.second, optimizer.second.byteCount),
    ]
  }
}
