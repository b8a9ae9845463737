import Checkpoint
import ModelGraph
import Tensors

/// A checkpoint's tensors under the names of a Hugging Face folder, whatever its format calls them.
struct NamedTensors {
  let checkpoint: Checkpoint
  let parameters: [Parameter]
  let reader: RecipeReader

  init(_ checkpoint: Checkpoint) throws {
    self.checkpoint = checkpoint
    parameters = checkpoint.tensors.map { Parameter(stored: $0) }
    reader = RecipeReader(checkpoint)
  }

  /// How the bytes behind `parameter` are stored: blocks too, where its own type is that of the
  /// decoded values.
  func storedType(_ parameter: Parameter) -> StorageType {
    guard case .rows(let rows) = parameter.recipe.content, let tensor = rows.first?.tensor,
      let record = checkpoint.record(tensor)
    else { return .element(parameter.type) }
    return record.type
  }
}
