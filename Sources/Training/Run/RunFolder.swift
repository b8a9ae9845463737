package import ByteIO
package import Charts
import JSON

/// The folder of a run: where its files are, and how they survive whatever happens.
package struct RunFolder: Sendable {
  package let path: String

  package init(_ path: String) {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  package var metrics: String { path + "/metrics.jsonl" }
  package var evaluations: String { path + "/evaluations.jsonl" }
  package var recipe: String { path + "/" + Self.recipeName }
  package var curve: String { path + "/curve.svg" }
  /// The page that tells what the run has done so far.
  package var report: String { path + "/report.html" }
  /// The trained package.
  package var package: String { path + "/package" }
  /// The low-rank factors of a run in mode `lora`.
  package var factors: String { path + "/factors" }
  package var checkpoints: String { path + "/checkpoints" }

  private static let recipeName = "recipe.yaml"
  private static let lockName = "lock"

  package func checkpoint(_ step: Int) -> String { "\(checkpoints)/step-\(step)" }

  /// Makes the folder for a new run, and holds it as `hold` does.
  ///
  /// - Parameter force: Remove the run that is there.
  @discardableResult
  package func create(force: Bool) throws -> FileLock {
    try createFolders(path)
    // Nothing is put into a folder that is not ours.
    try requireFree(force)
    let lock = try hold()
    try requireFree(force)
    // The recipe goes last: a removal that was cut off can be asked for again.
    let names = try folderEntries(path).filter { $0 != Self.lockName && $0 != Self.recipeName }
    for name in names { try discard(path + "/" + name) }
    try discard(recipe)
    try createFolder(checkpoints)
    return lock
  }

  /// Keeps other processes from writing to the run, until the lock goes.
  ///
  /// - Throws: `FileError(.inUse)` when another process holds it.
  package func hold() throws(FileError) -> FileLock { try FileLock(path + "/" + Self.lockName) }

  /// Whether a start was cut off before it had written the recipe: there is nothing yet to go on
  /// from.
  package func isUnborn() throws(FileError) -> Bool {
    guard try pathKind(path) == .folder, try pathKind(recipe) == nil else { return false }
    return try pathKind(path + "/" + Self.lockName) == .file
  }

  /// Throws when there is something in the folder that a new run may not remove.
  private func requireFree(_ force: Bool) throws {
    let names = try folderEntries(path).filter { name in
      ![Self.lockName, "checkpoints"].contains(name)
        && !StagingFolder.isOne(name, of: Self.recipeName)
        && !StagingFolder.isOne(name, of: "checkpoints")
    }
    if names.isEmpty { return }
    // Anything but a run stays, whatever was asked.
    guard names.contains(Self.recipeName) else { throw FileError(path, .exists) }
    guard force else { throw TrainingError(.runExists, path) }
  }

  /// Steps of the checkpoints, ascending.
  package func checkpointSteps() throws(FileError) -> [Int] {
    guard try pathKind(checkpoints) == .folder else { return [] }
    let names = try folderEntries(checkpoints)
    return names.compactMap { $0.hasPrefix("step-") ? Int($0.dropFirst(5)) : nil }.sorted()
  }

  /// Removes what a killed run left half-written, and the log lines after `step`; all lines without
  /// one.
  package func rewind(to step: Int?) throws {
    for folder in [path, checkpoints] { try StagingFolder.removeStale(in: folder) }
    for log in [metrics, evaluations] {
      guard try pathKind(log) == .file else { continue }
      let kept = try Self.lines(log).filter { line in
        guard let step, let number = line.value["step"]?.integer else { return false }
        return number <= step
      }
      let staged = try StagedOutput(at: log, isFolder: false, force: true, inputs: [], needed: 0)
      var output = try OutputFile(creating: staged.temporary)
      try output.write(Array(kept.map { $0.text + "\n" }.joined().utf8))
      _ = try output.finish()
      try staged.publish()
    }
  }

  /// Removes all checkpoints but the last `count` and that of step `best`.
  package func prune(keeping count: Int, best: Int?) throws(FileError) {
    for step in try checkpointSteps().dropLast(max(1, count)) where step != best {
      try discard(checkpoint(step))
    }
  }

  /// Writes a small file, whole or not at all.
  package func write(_ text: String, to file: String) throws {
    let staged = try StagedOutput(
      at: file, isFolder: false, force: true, inputs: [], needed: text.utf8.count)
    var output = try OutputFile(creating: staged.temporary)
    try output.write(Array(text.utf8))
    _ = try output.finish()
    try staged.publish()
  }

  // MARK: Reading

  package func steps() throws -> [StepRecord] {
    try Self.lines(metrics).enumerated().map { i, line in
      guard let record = StepRecord(line.value) else {
        throw TrainingError(.brokenMetrics(line: i + 1), metrics)
      }
      return record
    }
  }

  package func evaluationRecords() throws -> [EvaluationRecord] {
    guard try pathKind(evaluations) == .file else { return [] }
    return try Self.lines(evaluations).enumerated().map { i, line in
      guard let record = EvaluationRecord(line.value) else {
        throw TrainingError(.brokenMetrics(line: i + 1), evaluations)
      }
      return record
    }
  }

  /// The JSON lines of a log; a last line that was cut off by a crash is left out.
  private static func lines(_ path: String) throws -> [(text: String, value: JSONValue)] {
    let bytes = try ByteRegion(path: path).contents(limit: 1 << 30)
    var lines: [(String, JSONValue)] = []
    for (i, line) in bytes.split(separator: 0x0A).enumerated() {
      do {
        let value = try JSONValue(parsing: Array(line), path: path)
        lines.append((String(decoding: line, as: UTF8.self), value))
      } catch {
        if bytes.last != 0x0A, line.endIndex == bytes.endIndex { break }
        throw TrainingError(.brokenMetrics(line: i + 1), path)
      }
    }
    return lines
  }

  /// The loss curve of the run.
  package func chart() throws -> LineChart {
    try Self.chart(steps(), evaluationRecords())
  }

  /// What a run's held-out losses are to be compared with: the source's, and where it began at the
  /// deepest recurrence.
  private static func levels(_ evaluations: [EvaluationRecord]) -> [LineChart.Level] {
    guard let first = evaluations.first, first.step == 0 else { return [] }
    var levels: [LineChart.Level] = []
    if let source = first.source { levels.append(source.level) }
    if evaluations.count > 1, let deepest = first.results.max(by: { $0.depth < $1.depth }) {
      let place = deepest.recurrence.map { ", r = \($0)" } ?? ""
      levels.append(.init("before training" + place, deepest.loss))
    }
    return levels
  }

  /// Loss in training and at each recurrence of the held-out rows, over the steps.
  package static func chart(
    _ steps: [StepRecord], _ evaluations: [EvaluationRecord]
  ) -> LineChart {
    let training = steps.map { LineChart.Point(Double($0.step), $0.loss) }
    var series = [LineChart.Series.smoothed("training", training)]
    for recurrence in Set(evaluations.flatMap { $0.results.map(\.recurrence) })
      .sorted(by: { ($0 ?? 0) < ($1 ?? 0) })
    {
      let points = evaluations.flatMap { record in
        record.results.filter { $0.recurrence == recurrence }.map {
          LineChart.Point(Double(record.step), $0.loss)
        }
      }
      let name = recurrence.map { "held out, r = \($0)" } ?? "held out"
      series.append(.init(name, points, isMarked: true))
    }
    return LineChart(
      title: "Loss by step", xLabel: "step", yLabel: "nats per token", hidesOutliers: true,
      series: series, levels: levels(evaluations))
  }
}
