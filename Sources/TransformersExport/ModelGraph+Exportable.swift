import ModelGraph

extension ModelGraph {
  /// Refuses what the exported modelling code does not compute.
  func checkModellingCode() throws(ExportError) {
    let known = ["llama", "mistral", "olmo2", "qwen2", "qwen3"]
    guard known.contains(family) else { throw ExportError(.unknownFamily(family)) }
    for block in blocks {
      if block.spec.attention.visible != .all {
        throw ExportError(.notInModellingCode("a window of attention"))
      }
      if block.spec.mlp.activation != .silu {
        throw ExportError(.notInModellingCode("the activation \(block.spec.mlp.activation)"))
      }
      switch block.spec.attention.rotary?.scaling {
      case .some(.none), .linear, .llama3: break
      default: throw ExportError(.notInModellingCode("this rotary embedding"))
      }
    }
  }
}
