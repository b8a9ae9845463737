import ByteIO
import Platform

/// A bar on standard error that tells how far a piece of work is.
struct Progress: Sendable {
  private let console: Console
  private let style: Style
  private let label: String
  private let total: Int
  private let describe: @Sendable (Int) -> String
  private var done = 0
  private var lastDrawn = 0.0
  private let started = monotonicSeconds()

  private enum Style: Sendable {
    case none
    case bar
    case lines
    /// A line now and then, where nobody watches.
    case sparse
  }

  /// - Parameters:
  ///   - total: Steps that the work has.
  ///   - describe: Writes a number of steps for the reader.
  init(
    _ console: Console, _ options: OutputOptions, _ label: String, total: Int,
    describe: @escaping @Sendable (Int) -> String = { "\($0)" }
  ) {
    self.console = console
    self.label = label
    self.total = total
    self.describe = describe
    style =
      switch options.progress {
      case _ where options.quiet: .none
      case .none: .none
      case .plain: .lines
      case .auto: console.isInteractive ? .bar : .sparse
      }
  }

  /// Counts `steps` more steps as done; redraws ten times a second at most.
  mutating func advance(_ steps: Int = 1, note: String = "") {
    done += steps
    let time = monotonicSeconds()
    guard isDue(time) else { return }
    lastDrawn = time
    let tail =
      "\(describe(done))/\(describe(total))\(remaining(time))\(note.isEmpty ? "" : "  " + note)"
    switch style {
    case .none: break
    case .lines, .sparse: console.note("\(label) \(tail)")
    case .bar:
      let width = 24
      let filled = total > 0 ? min(width, done * width / total) : width
      let bar =
        String(repeating: "━", count: filled) + String(repeating: "╌", count: width - filled)
      console.noteRaw("\(PrintedText.clearLine)\(label) \(bar) \(tail)")
    }
  }

  /// Whether it is time to draw again.
  private func isDue(_ time: Double) -> Bool {
    switch style {
    case .none: false
    case .bar: time - lastDrawn >= 0.1 || done == total
    case .lines: time - lastDrawn >= 5 || done == total
    // Work that is soon done says nothing.
    case .sparse: time - max(lastDrawn, started) >= 5
    }
  }

  /// Clears the bar.
  func finish() {
    if style == .bar, lastDrawn > 0 { console.noteRaw(PrintedText.clearLine) }
  }

  private func remaining(_ time: Double) -> String {
    guard done > 0, done < total, time - started > 1 else { return "" }
    let seconds = Int((time - started) / Double(done) * Double(total - done))
    return "  \(seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60) left"
  }
}
