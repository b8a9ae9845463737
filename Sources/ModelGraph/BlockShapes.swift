extension BlockStyle {
  /// The tensors a block of this style has, in the order of `BlockRole`.
  package func roles(fused: Bool) -> [BlockRole] {
    BlockRole.allCases.filter { role in
      switch role {
      case .attentionNorm, .mlpNorm, .output, .down: true
      case .query, .key, .value, .gate, .up: !fused
      case .queryKeyValue, .gateUp: fused
      case .queryBias, .keyBias, .valueBias: !fused && queryKeyValueBias
      case .queryKeyValueBias: fused && queryKeyValueBias
      case .queryNorm, .keyNorm: queryKeyNorm != .none
      case .outputBias: outputBias
      case .gateBias, .upBias: !fused && mlpBias
      case .gateUpBias: fused && mlpBias
      case .downBias: mlpBias
      }
    }
  }

  /// The shape of the tensor that plays `role`.
  package func shape(of role: BlockRole, _ sizes: ModelSizes) -> [Int] {
    let rows = rows(of: role, sizes)
    switch role {
    case .query, .key, .value, .queryKeyValue, .gate, .up, .gateUp: return [rows, sizes.hidden]
    case .output: return [rows, sizes.queryWidth]
    case .down: return [rows, sizes.intermediate]
    default: return [rows]
    }
  }

  private func rows(of role: BlockRole, _ sizes: ModelSizes) -> Int {
    switch role {
    case .attentionNorm, .mlpNorm, .output, .outputBias, .down, .downBias: sizes.hidden
    case .query, .queryBias: sizes.queryWidth
    case .key, .keyBias, .value, .valueBias: sizes.keyValueWidth
    case .queryKeyValue, .queryKeyValueBias: sizes.queryWidth + 2 * sizes.keyValueWidth
    case .queryNorm: queryKeyNorm == .perHead ? sizes.headSize : sizes.queryWidth
    case .keyNorm: queryKeyNorm == .perHead ? sizes.headSize : sizes.keyValueWidth
    case .gate, .gateBias, .up, .upBias: sizes.intermediate
    case .gateUp, .gateUpBias: 2 * sizes.intermediate
    }
  }
}
