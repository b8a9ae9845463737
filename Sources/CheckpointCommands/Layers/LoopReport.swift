import ByteIO
import Charts
import JSON
import Recurrence
import Scoring
import Transformer

/// What looping blocks of a model's layers gave, and what healing the best gave.
struct LoopReport {
  struct Healed {
    var selection: LayerSelection
    /// Path of the healed package.
    var package: String
    var steps: Int
    /// By recurrence, in nats a token, on the text of the search.
    var losses: [(recurrence: Int, loss: Double)]

    /// At the most recurrences.
    var loss: Double { losses.last?.loss ?? .infinity }
  }

  /// Of the terminal that the text goes to.
  var hasColor = false
  /// Of the model.
  var layers: Int
  var recurrence: Int
  var damping: Float
  var search: LoopSearch
  var healed: [Healed] = []

  /// Lines of the table; the JSON document has all.
  private static let shown = 12

  /// The selection to use: of the best healed one, else of the best loop.
  var best: String {
    if let best = healed.min(by: { $0.loss < $1.loss }) { return best.selection.description }
    return search.candidates.first.map { select($0.layers) } ?? ""
  }

  private func select(_ core: ClosedRange<Int>) -> String {
    [Array(0..<core.lowerBound), Array(core), Array(core.upperBound + 1..<layers)]
      .map(LayerSelection.ranges).joined(separator: "/")
  }

  var json: JSONObject {
    [
      "recurrence": JSONValue(recurrence), "damping": JSONValue(Double(damping)),
      "source_loss": JSONValue(search.source.mean), "tokens": JSONValue(search.source.count),
      "candidates": .array(
        search.candidates.map { candidate in
          [
            "first": JSONValue(candidate.layers.lowerBound),
            "last": JSONValue(candidate.layers.upperBound),
            "select": .string(select(candidate.layers)),
            "loss": candidate.loss.mean.isFinite ? JSONValue(candidate.loss.mean) : .null,
          ]
        }),
      "healed": .array(
        healed.map { one in
          [
            "select": .string(one.selection.description), "package": .string(one.package),
            "steps": JSONValue(one.steps),
            "results": .array(
              one.losses.map {
                ["recurrence": JSONValue($0.recurrence), "loss": JSONValue($0.loss)]
              }),
          ]
        }),
    ]
  }

  var text: String {
    var table = TextTable([("core", .left), ("layers", .right), ("loss", .right), ("", .right)])
    for candidate in search.candidates.prefix(Self.shown) {
      table.add([
        LayerSelection.ranges(Array(candidate.layers)), "\(candidate.layers.count)",
        fixed(candidate.loss.mean, 4),
        difference(candidate.loss.mean),
      ])
    }
    let all = search.candidates.count
    let share = damping == 1 ? "whole" : "\(fixed(Double(damping), 3)) of each counting"
    return """

      looped on frozen weights: \(recurrence) passes, \(share); loss of the source \
      \(fixed(search.source.mean, 4)) over \(grouped(search.source.count)) tokens
      \(table.text())\(all > Self.shown ? "(the best \(Self.shown) of \(all))\n" : "")
      \(chart.terminal(columns: 60, rows: 12, hasColor: hasColor))\(healedText)
      the best of them: --select \(best)

      """
  }

  private func difference(_ loss: Double) -> String {
    let difference = loss - search.source.mean
    return (difference < 0 ? "" : "+") + fixed(difference, 4)
  }

  private var healedText: String {
    if healed.isEmpty { return "" }
    let depths = healed[0].losses.map { ("r = \($0.recurrence)", TextTable.Alignment.right) }
    var table = TextTable([("healed", .left), ("steps", .right)] + depths)
    for one in healed {
      table.add(
        [one.selection.description, grouped(one.steps)] + one.losses.map { fixed($0.loss, 4) })
    }
    return "\n" + table.text()
  }

  /// For each number of layers, the loss against the first of them; the numbers whose best loop is
  /// best.
  var chart: LineChart {
    var lengths: [Int] = []
    for candidate in search.candidates where !lengths.contains(candidate.layers.count) {
      lengths.append(candidate.layers.count)
    }
    return LineChart(
      title: "loss by the core's first layer, \(recurrence) passes", xLabel: "first layer",
      yLabel: "nats a token", hidesOutliers: true,
      series: lengths.prefix(4).sorted().map { length in
        let points = search.candidates.filter { $0.layers.count == length }
          .map { LineChart.Point(Double($0.layers.lowerBound), $0.loss.mean) }
        return .init(
          length == 1 ? "1 layer" : "\(length) layers", points.sorted { $0.x < $1.x },
          isMarked: true)
      })
  }
}
