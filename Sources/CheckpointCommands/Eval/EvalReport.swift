import ByteIO
import Charts
import JSON
import Platform
import Scoring

/// What `ckpt eval` measured.
struct EvalReport: Report {
  /// Loss of a text, or scores of questions or documents.
  enum Results {
    case loss(LossReport)
    case scores(ScoreReport)
  }

  static let command = "eval"

  var results: Results
  var next: String?

  /// Of the terminal that the text goes to.
  private let hasColor: Bool

  init(_ results: Results, hasColor: Bool) {
    self.results = results
    self.hasColor = hasColor
  }

  var json: JSONObject {
    switch results {
    case .loss(let report): report.json
    case .scores(let report): report.json
    }
  }

  var text: String {
    let (table, count) =
      switch results {
      case .loss(let report): (report.table, report.results.count)
      case .scores(let report): (report.table, report.results.count)
      }
    return count > 1
      ? table + "\n" + chart.terminal(columns: 60, rows: 12, hasColor: hasColor) : table
  }

  var chart: LineChart {
    switch results {
    case .loss(let report): report.chart
    case .scores(let report): report.chart
    }
  }

  /// The number of recurrences that did best, the least of equals; nil for a source model.
  var bestRecurrence: Int? {
    switch results {
    case .loss(let report): report.bestRecurrence
    case .scores(let report): report.bestRecurrence
    }
  }
}

/// How well a model predicts a text.
struct LossReport {
  var path: String
  var data: String
  var results: [LossResult] = []
  private let windowCount: Int
  private let windowLength: Int
  private let byteCount: Int

  init(path: String, data: String, windows: TokenWindows) {
    self.path = path
    self.data = data
    windowCount = windows.windows.count
    windowLength = windows.length
    byteCount = windows.byteCount
  }

  /// Bits that the model needs for a byte of the windows' text, the first token of each given.
  private func bitsPerByte(_ result: LossResult) -> Double {
    result.loss * Double(result.tokenCount) / log(2) / Double(byteCount)
  }

  var json: JSONObject {
    [
      "path": .string(path), "data": .string(data), "windows": JSONValue(windowCount),
      "sequence_length": JSONValue(windowLength), "bytes": JSONValue(byteCount),
      "results": .array(
        results.map { result in
          var object: JSONObject = [
            "recurrence": JSONValue(result.recurrence), "loss": JSONValue(result.loss),
            "tokens": JSONValue(result.tokenCount), "perplexity": JSONValue(result.perplexity),
            "bits_per_byte": JSONValue(bitsPerByte(result)),
          ]
          if let error = result.standardError { object["standard_error"] = JSONValue(error) }
          if let cache = result.cache {
            object["cache_window"] = JSONValue(cache.window)
            object["cache_bytes"] = JSONValue(cache.bytes)
          }
          return .object(object)
        }),
    ]
  }

  var bestRecurrence: Int? { results.min { $0.loss < $1.loss }?.recurrence }

  private var hasCaches: Bool { results.contains { $0.cache != nil } }

  var table: String {
    var table = TextTable(
      [("r", .right)] + (hasCaches ? [("window", .right), ("bytes/token", .right)] : []) + [
        ("loss", .right), ("±", .right), ("perplexity", .right), ("bits/byte", .right),
        ("tokens", .right),
      ])
    for result in results {
      table.add(
        [result.recurrence.map { "\($0)" } ?? "-"]
          + (result.cache.map { ["\($0.window)", grouped($0.bytes)] } ?? []) + [
            fixed(result.loss, 4), result.standardError.map { fixed($0, 4) } ?? "",
            fixed(result.perplexity, 2), fixed(bitsPerByte(result), 4), grouped(result.tokenCount),
          ])
    }
    return "\(path) on \(data): \(counted(windowCount, "window")) of \(windowLength) tokens\n"
      + table.text()
  }

  /// A line over the recurrences; one each over the windows of a cache where there are several.
  var chart: LineChart {
    let isByWindow = Set(results.compactMap { $0.cache?.window }).count > 1
    let depths = isByWindow ? Set(results.compactMap(\.recurrence)).sorted() : []
    let series =
      isByWindow
      ? depths.map { depth in
        line("r = \(depth)", results.filter { $0.recurrence == depth }) { $0.cache?.window }
      } : [line("loss", results, \.recurrence)]
    let hasError = results.contains { $0.standardError != nil }
    return LineChart(
      title: "loss by \(isByWindow ? "cache window" : "recurrence")"
        + (hasError ? ", ± standard error" : ""),
      xLabel: isByWindow ? "recurrences kept W" : "recurrences r", yLabel: "nats per token",
      xIsLogarithmic: true, series: series)
  }

  private func line(
    _ name: String, _ results: [LossResult], _ x: (LossResult) -> Int?
  ) -> LineChart.Series {
    let placed = results.compactMap { result in x(result).map { (x: Double($0), result: result) } }
      .sorted { $0.x < $1.x }
    let points = placed.map { LineChart.Point($0.x, $0.result.loss) }
    let band = placed.compactMap { x, result in
      result.standardError.map { LineChart.Band(x, low: result.loss - $0, high: result.loss + $0) }
    }
    return .init(name, points, band: band, isMarked: true)
  }
}
