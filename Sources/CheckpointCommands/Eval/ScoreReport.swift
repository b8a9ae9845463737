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
  /// The records' values of a field, if they are told apart by one.
  var grouping: Grouping?

  /// Questions with the same value of a field.
  struct Grouping {
    let field: String
    let groups: [(value: String, questions: [Int])]

    /// - Parameter values: Of each question. Groups are in the order of their numbers, or else of
    ///   their first question.
    init(_ field: String, _ values: [String]) {
      self.field = field
      var questions: [String: [Int]] = [:]
      var order: [String] = []
      for (index, value) in values.enumerated() {
        if questions[value] == nil { order.append(value) }
        questions[value, default: []].append(index)
      }
      let numbers = order.compactMap { Double($0) }
      if numbers.count == order.count {
        order = zip(order, numbers).sorted { $0.1 < $1.1 }.map(\.0)
      }
      groups = order.map { ($0, questions[$0] ?? []) }
    }
  }

  private var measures: [String] {
    let exits = hasExits ? ["recurrences"] : []
    return switch task {
    case .exactMatch: ["exact_match"] + exits
    case .answers: ["exact", "nats", "tokens"] + exits
    case .multipleChoice, .loss: ["acc", "acc_norm", "acc_bytes"]
    }
  }

  /// Whether tokens could stop recurring early.
  private var hasExits: Bool { results.contains { $0.exit != nil } }

  var json: JSONObject {
    [
      "path": .string(path), "data": .string(data), "task": .string(task.rawValue),
      "shots": JSONValue(shots), "template": .string(template.description),
      "by": JSONValue(grouping?.field),
      "results": .array(
        results.map { result in
          var object = json(of: result)
          if let grouping {
            object["groups"] = .array(
              grouping.groups.map { group in
                var part = json(of: result.only(group.questions))
                part["recurrence"] = nil
                part["exit"] = nil
                part["value"] = .string(group.value)
                return .object(part)
              })
          }
          return .object(object)
        }),
    ]
  }

  private func json(of result: ScoreResult) -> JSONObject {
    var object: JSONObject = [
      "recurrence": JSONValue(result.recurrence), "examples": JSONValue(result.exampleCount),
    ]
    if let exit = result.exit { object["exit"] = .string(exit) }
    for measure in measures {
      let (mean, error, seedError) = result.statistics(measure)
      object[measure] = JSONValue(mean)
      if let error { object[measure + "_stderr"] = JSONValue(error) }
      if let seedError { object[measure + "_seed_stderr"] = JSONValue(seedError) }
    }
    return object
  }

  var bestRecurrence: Int? {
    func score(_ result: ScoreResult) -> Double {
      measures.first.map { result.statistics($0).mean } ?? 0
    }
    // Of equals, the last to be the maximum is the first here.
    return results.reversed().max { score($0) < score($1) }?.recurrence
  }

  var table: String {
    let columns = measures.flatMap { [($0, TextTable.Alignment.right), ("±", .right)] }
    var heads: [(String, TextTable.Alignment)] = [("r", .right)]
    if hasExits { heads.append(("exit", .left)) }
    if let grouping { heads.append((grouping.field, .right)) }
    var table = TextTable(heads + columns + [("questions", .right)])
    for result in results {
      func add(_ group: String, _ part: ScoreResult) {
        let cells = measures.flatMap { measure in
          let (mean, error, _) = part.statistics(measure)
          return [fixed(mean, 4), error.map { fixed($0, 4) } ?? ""]
        }
        table.add(
          [result.recurrence.map { "\($0)" } ?? "-"] + (result.exit.map { [$0] } ?? [])
            + (grouping == nil ? [] : [group]) + cells + [grouped(part.exampleCount)])
      }
      for group in grouping?.groups ?? [] { add(group.value, result.only(group.questions)) }
      add("all", result)
    }
    return "\(path) on \(data): \(task.rawValue), \(counted(shots, "example")) in the prompt\n"
      + table.text()
  }

  var chart: LineChart {
    LineChart(
      title: "accuracy by recurrence, ± standard error",
      xLabel: hasExits ? "recurrences a token, on average" : "recurrences r",
      yLabel: "accuracy", xIsLogarithmic: true,
      series: measures.prefix(task == .multipleChoice ? measures.count : 1).map { measure in
        var series = LineChart.Series(measure, [], isMarked: true)
        for result in results {
          guard let recurrence = result.recurrence else { continue }
          let r = hasExits ? result.statistics("recurrences").mean : Double(recurrence)
          let (mean, error, _) = result.statistics(measure)
          series.points.append(.init(r, mean))
          if let error { series.band.append(.init(r, low: mean - error, high: mean + error)) }
        }
        return series
      })
  }
}
