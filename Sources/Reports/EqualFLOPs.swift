import Training

/// Groups of runs compared where all have cost the same: at the FLOPs, everything counted, of the run
/// that spent the least.
package struct EqualFLOPs {
  /// Runs that differ by their seed, as the user says.
  package struct Group {
    package var name: String
    package var runs: [RunSummary]

    package init(name: String, runs: [RunSummary]) {
      self.name = name
      self.runs = runs
    }
  }

  /// Held-out losses of a group at one number of recurrences.
  package struct Result: Equatable {
    /// nil for a model that is not recurrent.
    package var recurrence: Int?
    package var mean: Double
    /// Half of the 95 % interval of the mean, by Student's t; nil for a single run.
    package var margin: Double?
  }

  package let groups: [Group]
  package let flops: Double

  /// nil where a run has no step or no evaluation.
  package init?(_ groups: [Group]) {
    let runs = groups.flatMap(\.runs)
    let ends = runs.compactMap { run in Self.curve(of: run).last?.flops }
    guard ends.count == runs.count, let least = ends.min() else { return nil }
    self.groups = groups
    flops = least
  }

  /// The losses of a group, for each number of recurrences that all of its runs were evaluated at.
  package func results(of group: Group) -> [Result] {
    let common = group.runs.map { Set($0.recurrences) }
    let shared = common.dropFirst().reduce(common.first ?? []) { $0.intersection($1) }
    return shared.sorted { ($0 ?? 0) < ($1 ?? 0) }.compactMap { recurrence in
      let losses = group.runs.compactMap { Self.loss(of: $0, recurrence, at: flops) }
      guard losses.count == group.runs.count else { return nil }
      return Self.result(recurrence, losses)
    }
  }

  /// Held-out losses along a run, by what it had cost then.
  private static func curve(
    of run: RunSummary
  ) -> [(flops: Double, record: EvaluationRecord)] {
    let costs = Dictionary(
      run.steps.map { ($0.step, $0.fullFLOPs) }, uniquingKeysWith: { _, last in last })
    return run.evaluations.compactMap { record in
      let cost = record.step == 0 ? 0 : costs[record.step]
      return cost.map { ($0, record) }
    }
  }

  /// The held-out loss at `flops`, on the line between the evaluations about it.
  private static func loss(of run: RunSummary, _ recurrence: Int?, at flops: Double) -> Double? {
    let points = curve(of: run).compactMap { point in
      point.record.results.first { $0.recurrence == recurrence }.map { (point.flops, $0.loss) }
    }
    guard let after = points.firstIndex(where: { $0.0 >= flops }) else { return nil }
    let (x, y) = points[after]
    guard after > 0, x > flops else { return y }
    let (x0, y0) = points[after - 1]
    return y0 + (y - y0) * (flops - x0) / (x - x0)
  }

  private static func result(_ recurrence: Int?, _ losses: [Double]) -> Result {
    let count = Double(losses.count)
    let mean = losses.reduce(0, +) / count
    guard losses.count > 1 else { return Result(recurrence: recurrence, mean: mean, margin: nil) }
    let squares = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let error = (squares / (count - 1) / count).squareRoot()
    return Result(
      recurrence: recurrence, mean: mean, margin: error * studentQuantile(losses.count - 1))
  }

  /// The 97.5 % quantile of Student's distribution with `freedom` degrees of freedom, rounded to three
  /// digits up to 10; from there by the first terms of its expansion about the normal quantile
  /// (Abramowitz and Stegun 1964, 26.7.5).
  static func studentQuantile(_ freedom: Int) -> Double {
    let table = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]
    guard freedom > table.count else { return table[max(0, freedom - 1)] }
    let (z, n) = (1.959_964, Double(freedom))
    let (third, fifth, seventh) = (z * z * z, z * z * z * z * z, z * z * z * z * z * z * z)
    return z + (third + z) / (4 * n) + (5 * fifth + 16 * third + 3 * z) / (96 * n * n)
      + (3 * seventh + 19 * fifth + 17 * third - 15 * z) / (384 * n * n * n)
  }
}
