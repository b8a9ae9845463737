import ByteIO
import Charts
import JSON
import Scoring

/// What `ckpt eval` found of questions.
struct ScoreReport {
  var path: String
  var data: String
  var task: EvalTask
  var shots: Int
  var template: PromptTemplate
  var results: [ScoreResult] = []

  private var measures: [String] {
    task == .exactMatch ? ["exact_match"] : ["acc", "acc_norm", "acc_bytes"]
  }

  var json: JSONObject {
    [
      "path": .string(path), "data": .string(data), "task": .string(task.rawValue),
      "shots": JSONValue(shots), "template": .string(template.description),
      "results": .array(results.map { .object(json(of: $0)) }),
    ]
  }

  private func json(of result: ScoreResult) -> JSONObject {
    var object: JSONObject = [
      "recurrence": JSONValue(result.recurrence), "examples": JSONValue(result.exampleCount),
    ]
    for measure in measures {
      let (mean, error, seedError) = result.statistics(measure)
      object[measure] = JSONValue(mean)
      if let error { object[measure + "_stderr"] = JSONValue(error) }
      if let seedError { object[measure + "_seed_stderr"] = JSONValue(seedError) }
    }
    return object
  }

  var text: String {
    let columns = measures.flatMap { [($0, TextTable.Alignment.right), ("±", .right)] }
    var table = TextTable([("r", .right)] + columns + [("questions", .right)])
    for result in results {
      let cells = measures.flatMap { measure in
        let (mean, error, _) = result.statistics(measure)
        return [fixed(mean, 4), error.map { fixed($0, 4) } ?? ""]
      }
      table.add(
        [result.recurrence.map { "\($0)" } ?? "-"] + cells + [grouped(result.exampleCount)])
    }
    let curve = results.count > 1 ? "\n" + chart.terminal(columns: 60, rows: 12) : ""
    return "\(path) on \(data): \(task.rawValue), \(shots) examples in the prompt\n"
      + table.text() + curve
  }

  var chart: LineChart {
    LineChart(
      title: "accuracy by recurrence, ± standard error", xLabel: "recurrences r",
      yLabel: "accuracy", xIsLogarithmic: true,
      series: measures.map { measure in
        var series = LineChart.Series(measure, [], isMarked: true)
        for result in results {
          guard let r = result.recurrence.map(Double.init) else { continue }
          let (mean, error, _) = result.statistics(measure)
          series.points.append(.init(r, mean))
          if let error { series.band.append(.init(r, low: mean - error, high: mean + error)) }
        }
        return series
      })
  }
}
