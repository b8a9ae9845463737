import ModelGraph

extension ModelGraph {
  /// Refuses what the exported modelling code does not compute: every number of a block's spec is
  /// handed over as data, so it is parts that it may not know.
  func checkModellingCode(for form: RecurrentForm) throws(ExportError) {
    let computed: [BlockRole] = [
      .attentionNorm, .queryKeyValue, .queryKeyValueBias, .queryNorm, .keyNorm, .output,
      .outputBias, .attentionOutputNorm, .mlpNorm, .gateUp, .gateUpBias, .down, .downBias,
      .mlpOutputNorm, .router, .expertsGateUp, .expertsDown,
    ]
    if form == .mlx, blocks.contains(where: { $0.spec.mlp.experts != nil }) {
      throw ExportError(.notInModellingCode("blocks with experts under mlx-lm"))
    }
    for block in blocks {
      let other = block.parameters.first {
        !computed.contains($0.role.facts.fusedInto ?? $0.role)
      }
      if let other { throw ExportError(.notInModellingCode("a block's \(other.role.rawValue)")) }
    }
  }
}
