import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Models
import Tensors

/// The tensors that are to be written, and which of them are names of the same bytes.
struct WantedTensors {
  let source: NamedTensors
  private(set) var parameters: [Parameter]
  /// Names that are not written, because readers tie them to another tensor.
  private(set) var omitted: [(name: TensorName, kept: TensorName)] = []
  /// What became of tied tensors.
  private(set) var warnings: [Warning] = []

  init(_ parameters: [Parameter], of source: NamedTensors) {
    self.source = source
    self.parameters = parameters
  }

  /// The parameters in their order, each with the later ones that share its bytes.
  var groups: [[Parameter]] {
    let ties = source.checkpoint.ties
    var groups: [[Parameter]] = []
    var places: [TensorName: Int] = [:]
    for parameter in parameters {
      guard let stored = Self.stored(parameter) else {
        groups.append([parameter])
        continue
      }
      let first = ties[stored] ?? stored
      if let place = places[first] {
        groups[place].append(parameter)
      } else {
        places[first] = groups.count
        groups.append([parameter])
      }
    }
    return groups
  }

  /// Prepares for a format in which tensors cannot share bytes.
  ///
  /// An output head that the configuration ties to the embedding is left out: every reader of such
  /// a folder makes it from the embedding. Any other tie is written once for each name, so that
  /// no reader misses one.
  mutating func separateTies() {
    let isTied = source.config?["tie_word_embeddings"] == true
    for group in groups where group.count > 1 {
      let heads = isTied ? group.filter(Self.isHead) : []
      guard let kept = group.first(where: { !heads.contains($0) }) else { continue }
      for parameter in group where parameter != kept {
        if heads.contains(parameter) {
          omitted.append((parameter.name, kept.name))
          warnings.append(
            Warning(
              "convert.tied_once", "written once, as \(kept.name): config.json ties the two",
              tensor: parameter.name.string))
        } else {
          warnings.append(
            Warning(
              "convert.tied_copied", "written again: the format cannot share \(kept.name)'s bytes",
              tensor: parameter.name.string))
        }
      }
    }
    let names = Set(omitted.map(\.name))
    parameters.removeAll { names.contains($0.name) }
  }

  /// The name in the source of the one tensor that `parameter` is.
  private static func stored(_ parameter: Parameter) -> TensorName? {
    guard case .rows(let rows) = parameter.recipe.content, rows.count == 1 else { return nil }
    return rows[0].tensor
  }

  private static func isHead(_ parameter: Parameter) -> Bool {
    guard let name = stored(parameter)?.string else { return false }
    return ["lm_head.weight", "embed_out.weight"].contains {
      name == $0 || name.hasSuffix("." + $0)
    }
  }
}
