extension LayerSelection {
  /// A selection that was published, for a model of a certain depth.
  package struct Preset: Equatable, Sendable {
    package let name: String
    package let layers: Int
    package let selection: String
  }

  /// The selections of "Teaching Pretrained Language Models to Think Deeper with Retrofitted
  /// Recurrence" (arXiv 2511.07384), and its two that drop nothing.
  package static let presets = [
    Preset(name: "tinyllama-4-8-4", layers: 22, selection: "0-3/10-17/18-21"),
    Preset(name: "olmo2-4-6-4", layers: 16, selection: "0-3/6-11/12-15"),
    Preset(name: "llama-4-6-4", layers: 16, selection: "0-3/6-11/12-15"),
    Preset(name: "llama-2-4-2", layers: 16, selection: "0-1/10-13/14-15"),
    Preset(name: "tinyllama-6-10-6", layers: 22, selection: "0-5/6-15/16-21"),
    Preset(name: "tinyllama-7-8-7", layers: 22, selection: "0-6/7-14/15-21"),
  ]

  /// The selection of a preset, which must have been made for a model of `count` layers.
  package init(preset name: String, of count: Int) throws(RecurrenceError) {
    guard let preset = Self.presets.first(where: { $0.name == name }) else {
      throw RecurrenceError(.unknownPreset(name))
    }
    guard preset.layers == count else {
      throw RecurrenceError(.presetForOtherModel(name, wanted: preset.layers, found: count))
    }
    try self.init(preset.selection, of: count)
  }
}
