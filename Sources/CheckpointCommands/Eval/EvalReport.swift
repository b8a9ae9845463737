import ByteIO
import Charts
import JSON
import Platform
import Scoring

/// What `ckpt eval` measured.
enum EvalReport: Report {
  case loss(LossReport)
  case scores(ScoreReport)

  static let command = "eval"

  var json: JSONObject {
    switch self {
    case .loss(let report): report.json
    case .scores(let report): report.json
    }
  }

  var text: String {
    switch self {
    case .loss(let report): report.text
    case .scores(let report): report.text
    }
  }

  var chart: LineChart {
    switch self {
    case .loss(let report): report.chart
    case .scores(let report): report.chart
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
          return .object(object)
        }),
    ]
  }

  var text: String {
    var table = TextTable([
      ("r", .right), ("loss", .right), ("±", .right), ("perplexity", .right),
      ("bits/byte", .right), ("tokens", .right),
    ])
    for result in results {
      table.add([
        result.recurrence.map { "\($0)" } ?? "-", fixed(result.loss, 4),
        result.standardError.map { fixed($0, 4) } ?? "", fixed(result.perplexity, 2),
        fixed(bitsPerByte(result), 4), grouped(result.tokenCount),
      ])
    }
    let curve = results.count > 1 ? "\n" + chart.terminal(columns: 60, rows: 12) : ""
    return "\(path) on \(data): \(windowCount) windows of \(windowLength) tokens\n" + table.text()
      + curve
  }

  var chart: LineChart {
    let points = results.compactMap { result in
      result.recurrence.map { LineChart.Point(Double($0), result.loss) }
    }
    let band = results.compactMap { result -> LineChart.Band? in
      guard let r = result.recurrence, let error = result.standardError else { return nil }
      return .init(Double(r), low: result.loss - error, high: result.loss + error)
    }
    return LineChart(
      title: band.isEmpty ? "loss by recurrence" : "loss by recurrence, ± standard error",
      xLabel: "recurrences r", yLabel: "nats a token", xIsLogarithmic: true,
      series: [.init("loss", points, band: band, isMarked: true)])
  }
}
