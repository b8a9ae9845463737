import ByteIO

extension StabilityCertificate {
  /// Verdict, last step and safe range, as a clause.
  package var summary: String {
    let last = depths[depths.count - 1]
    let range = safe.map { "r = \($0.lowerBound) to \($0.upperBound)" } ?? "no r"
    let radius = depths.compactMap(\.radius).max().map {
      ", spectral radius at most \(fixed($0, 3))"
    }
    let step = last.settling.map { "\(scientific($0)) of its norm" } ?? "no number"
    return "the state \(verdict.rawValue): its step at r = \(last.recurrence) is \(step)"
      + "\(radius ?? ""); \(range) within \(Self.tolerance) nats of the lowest loss"
  }

  /// What the columns of `rows` are.
  package static let columns = ["r", "loss", "step", "state rms", "spectral radius"]

  /// A row for each r; a radius that was not taken is empty.
  package var rows: [[String]] {
    depths.map { depth in
      [
        "\(depth.recurrence)", depth.loss.map { fixed($0, 4) } ?? "not finite",
        depth.settling.map { scientific($0) } ?? "not finite",
        depth.rootMeanSquare.map { $0 < 0.01 || $0 >= 1e4 ? scientific($0) : fixed($0, 3) }
          ?? "not finite",
        depth.radius.map { fixed($0, 4) } ?? "",
      ]
    }
  }

  /// What it was measured on.
  package var extent: String { "\(counted(windows, "window")), \(grouped(tokens)) tokens" }

  /// A section of a model card.
  package var markdown: String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    return """
      ## How deep is safe

      On \(extent), \(summary). A step is the state's next change divided by its
      norm; `ckpt verify --stability` measured it.


      """ + line(Self.columns) + line(Self.columns.map { _ in "---" }) + rows.map(line).joined()
  }
}
