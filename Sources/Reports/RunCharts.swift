package import Charts
import Training

extension RunSummary {
  /// Training losses of several runs over what they had done.
  package static func comparison(_ runs: [RunSummary], by axis: Axis) -> LineChart {
    LineChart(
      title: "Training loss by \(axis == .tokens ? "tokens" : "FLOPs")",
      xLabel: axis == .tokens ? "tokens" : "FLOPs", yLabel: "nats per token", hidesOutliers: true,
      series: runs.map { run in
        let points = run.steps.map {
          LineChart.Point(axis == .tokens ? Double($0.tokens) : $0.flops, $0.loss)
        }
        var series = LineChart.Series.smoothed(run.name, points)
        // What is behind each of several lines would hide the others.
        if runs.count > 1 { (series.raw, series.band) = ([], []) }
        return series
      })
  }

  /// Loss on held-out rows, and exact answers, against the recurrences, before and after.
  ///
  /// - Returns: A chart of each that was evaluated at a recurrence.
  static func byRecurrence(_ runs: [RunSummary]) -> [LineChart] {
    var losses = chart(runs, "Held-out loss by recurrence", "nats per token") {
      ($0.loss, $0.lossError)
    }
    if runs.count == 1, let source = runs[0].source {
      for index in losses.indices { losses[index].levels = [source.level] }
    }
    return losses
      + chart(runs, "Exact answers by recurrence", "% of the questions") {
        $0.answers.map { (100 * $0.exact, $0.exactError.map { 100 * $0 }) }
      }
  }

  private static func chart(
    _ runs: [RunSummary], _ title: String, _ unit: String,
    _ value: (EvaluationRecord.Result) -> (mean: Double, error: Double?)?
  ) -> [LineChart] {
    var chart = LineChart(
      title: title, xLabel: "recurrences r", yLabel: unit, xIsLogarithmic: true, series: [])
    var hasErrors = false
    for run in runs {
      let name = runs.count > 1 ? "\(run.name), " : ""
      var records = run.evaluations.suffix(1)
      if let first = run.evaluations.first, run.evaluations.count > 1 {
        records = [first] + records
      }
      for record in records {
        let values = record.results.compactMap { result in
          result.recurrence.flatMap { r in value(result).map { (r: Double(r), value: $0) } }
        }.sorted { $0.r < $1.r }
        if values.isEmpty { continue }
        let when = record.step == 0 ? "before training" : "step \(record.step)"
        let bands = values.compactMap { r, value in
          value.error.map { LineChart.Band(r, low: value.mean - $0, high: value.mean + $0) }
        }
        hasErrors = hasErrors || !bands.isEmpty
        chart.series.append(
          .init(
            name + when, values.map { .init($0.r, $0.value.mean) }, band: bands, isMarked: true))
      }
    }
    if hasErrors { chart.yLabel += ", ± standard error" }
    return chart.series.isEmpty ? [] : [chart]
  }

  /// What a run's log tells beside the loss, over its steps.
  var detailCharts: [LineChart] {
    func points(_ value: (StepRecord) -> Double) -> [LineChart.Point] {
      steps.map { LineChart.Point(Double($0.step), value($0)) }
    }
    func chart(
      _ title: String, _ unit: String, _ series: [LineChart.Series], log: Bool = false,
      hidesOutliers: Bool = false
    ) -> LineChart {
      LineChart(
        title: title, xLabel: "step", yLabel: unit, yIsLogarithmic: log,
        hidesOutliers: hidesOutliers, series: series)
    }
    var charts = [
      chart(
        "Learning rate", "learning rate", [.init("rate", Self.thinned(points(\.learningRate)))]),
      chart(
        "Gradient norm before clipping", "norm", [.smoothed("norm", points(\.gradientNorm))],
        log: true),
    ]
    if steps.contains(where: { $0.recurrence > 1 || $0.meanRecurrence > 1 }) {
      charts.append(
        chart(
          "Recurrences drawn", "recurrences r",
          [
            .smoothed("drawn, mean of the step", points(\.recurrence)),
            .init("scheduled mean", Self.thinned(points { Double($0.meanRecurrence) })),
          ]))
    }
    charts.append(
      chart(
        "Speed", "tokens a second", [.smoothed("speed", points(\.tokensPerSecond))],
        hidesOutliers: true))
    if steps.contains(where: { $0.memory != nil }) {
      let isSmall = steps.allSatisfy { $0.memory ?? 0 < 1 << 30 }
      let sizes = points { $0.memory.map { Double($0) / (isSmall ? 0x1p20 : 0x1p30) } ?? .nan }
      charts.append(
        chart(
          "Memory", "peak, \(isSmall ? "MiB" : "GiB")",
          [.init("memory", Self.thinned(sizes))]))
    }
    if steps.contains(where: { $0.divergence != nil }) {
      charts.append(
        chart(
          "Divergence from the teacher", "nats per token",
          [.smoothed("divergence", points { $0.divergence ?? .nan })], hidesOutliers: true))
    }
    return charts
  }

  /// At most 300 of the points, the last among them.
  private static func thinned(_ points: [LineChart.Point]) -> [LineChart.Point] {
    let step = (points.count + 299) / 300
    if step <= 1 { return points }
    return stride(from: points.count - 1, through: 0, by: -step).reversed().map { points[$0] }
  }
}
