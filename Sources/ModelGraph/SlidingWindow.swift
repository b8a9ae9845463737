import JSON

extension GraphReader {
  /// Refuses a sliding window that would cut into some position's attention.
  mutating func checkWindow(
    _ family: Family, _ sizes: ModelSizes, layers: Int
  ) throws(ModelGraphError) {
    let kinds = try config.value("layer_types")?.value.array
    if let kinds, kinds.count != layers {
      throw ModelGraphError(
        .invalidValue(
          field: "layer_types", value: "a list of \(kinds.count)", rule: "a list of \(layers)"))
    }
    let other = kinds?.first { $0.string != "full_attention" }
    guard family.window != .none else {
      guard let other else { return }
      throw ModelGraphError(.unsupportedField("layer_types", value: other.text()))
    }
    let width = try config.extent("sliding_window") ?? sizes.context
    let isOn = try config.bool("use_sliding_window") ?? false
    let first = try config.value("max_window_layers")?.value.integer ?? 0
    let isUsed = family.window == .always || (isOn && first < layers) || other != nil
    guard isUsed, width < sizes.context else { return }
    throw ModelGraphError(.unsupportedField("sliding_window", value: String(width)))
  }
}
