import Testing

@testable import Recurrence

@Suite("layer selection")
struct LayerSelectionTests {
  @Test("counts take the first and the last layers")
  func counts() throws {
    let selection = try LayerSelection(prelude: 4, core: 8, coda: 4, of: 22)
    #expect(selection.description == "0-3/10-17/18-21")
    #expect(selection.dropped(of: 22) == Array(4...9))
    let all = try LayerSelection(prelude: 6, core: 10, coda: 6, of: 22)
    #expect(all.dropped(of: 22).isEmpty)
  }

  @Test("lists may have gaps", arguments: ["0-3/10-17/18-21", "0-1/4,6-9/10-11", "1/5/21"])
  func lists(text: String) throws {
    #expect(try LayerSelection(text, of: 22).description == text)
  }

  @Test("spelled-out neighbours are the same selection as a range")
  func neighbours() throws {
    #expect(
      try LayerSelection("0,1/4,6-9/10,11", of: 12) == LayerSelection("0-1/4,6-9/10-11", of: 12))
  }

  static let refusals: [(String, RecurrenceError.Problem)] = [
    ("0-3/17-10/18-21", .reversedRange(first: 17, last: 10)),
    ("0-3//18-21", .emptyGroup("core")), ("//", .emptyGroup("prelude")),
    ("0-3/3-9/10", .repeatedLayer(3)), ("0,0/3-9/10", .repeatedLayer(0)),
    ("0-3/10-17/18-22", .layerOutOfRange(22, count: 22)),
    ("0/1/99999999999", .layerOutOfRange(99_999_999_999, count: 22)),
    ("0-3/10-17/9", .outOfOrder(layer: 9, after: 17)),
    ("0,2,1/10-17/18", .outOfOrder(layer: 1, after: 2)),
    ("0-3/10-17", .malformedSelection("0-3/10-17")), ("a/b/c", .malformedSelection("a/b/c")),
    ("0-3/10-17/18-21/22", .malformedSelection("0-3/10-17/18-21/22")),
    ("0-3/-1/18", .malformedSelection("0-3/-1/18")), ("0/+1/2", .malformedSelection("0/+1/2")),
    ("0/1-2-3/4", .malformedSelection("0/1-2-3/4")), ("0/1,/4", .malformedSelection("0/1,/4")),
    ("0/1 /4", .malformedSelection("0/1 /4")),
    (
      "0/1/99999999999999999999", .malformedSelection("0/1/99999999999999999999")
    ),
  ]

  @Test("refused", arguments: refusals)
  func refused(text: String, problem: RecurrenceError.Problem) {
    #expect(throws: RecurrenceError(problem)) { _ = try LayerSelection(text, of: 22) }
  }

  @Test("counts beyond the model, and empty groups")
  func badCounts() {
    #expect(throws: RecurrenceError(.tooManyLayers(wanted: 23, count: 22))) {
      _ = try LayerSelection(prelude: 4, core: 15, coda: 4, of: 22)
    }
    #expect(throws: RecurrenceError(.tooManyLayers(wanted: .max, count: 22))) {
      _ = try LayerSelection(prelude: .max, core: .max, coda: .max, of: 22)
    }
    #expect(throws: RecurrenceError(.emptyGroup("coda"))) {
      _ = try LayerSelection(prelude: 4, core: 8, coda: 0, of: 22)
    }
  }

  @Test("presets are the paper's", arguments: LayerSelection.presets)
  func presets(preset: LayerSelection.Preset) throws {
    let selection = try LayerSelection(preset: preset.name, of: preset.layers)
    // The name ends with the three counts.
    let counts = preset.name.split(separator: "-").suffix(3).compactMap { Int($0) }
    #expect([selection.prelude, selection.core, selection.coda].map(\.count) == counts)
    #expect(
      selection
        == (try LayerSelection(
          prelude: counts[0], core: counts[1], coda: counts[2], of: preset.layers)))
    #expect(
      throws: RecurrenceError(
        .presetForOtherModel(preset.name, wanted: preset.layers, found: 12))
    ) { _ = try LayerSelection(preset: preset.name, of: 12) }
  }
}
