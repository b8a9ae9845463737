import JSON

extension SelectLayers {
  /// The configuration with its per-layer lists cut to the selected layers.
  ///
  /// A list that is as long as the model is deep has an element for each layer, unless it is known
  /// to be about something else.
  func reindexed(_ config: JSONObject, layers: Int) -> JSONObject {
    var result = config
    for member in config.members {
      guard let elements = member.value.array, elements.count == layers,
        !member.key.hasSuffix("_token_id"), member.key != "architectures"
      else { continue }
      result[member.key] = .array(selection.all.map { elements[$0] })
    }
    return result
  }
}
