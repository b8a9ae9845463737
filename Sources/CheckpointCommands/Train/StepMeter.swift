import ByteIO
import PackageTraining
import Platform
import Synchronization
import Training
import Transformer

/// Shows how a run goes on, on standard error: a line that is redrawn, or a line a step.
final class StepMeter: RunObserver {
  private let console: Console
  private let isBar: Bool
  private let isPlain: Bool
  private let isQuiet: Bool
  /// Nobody watches: a line now and then, and what is rare.
  private let isSparse: Bool
  private let lastLine = Mutex(-Double.infinity)

  /// Seconds between lines that nobody watches.
  private static let pause = 10.0

  /// - Parameter exchange: Whose first rank alone shows anything.
  init(_ console: Console, _ options: OutputOptions, _ exchange: any GradientExchange) {
    self.console = console
    isPlain = options.progress == .plain && exchange.isFirst
    isQuiet = options.quiet || !exchange.isFirst
    isBar = options.progress == .auto && console.isInteractive && !isQuiet
    isSparse = options.progress == .auto && !console.isInteractive && !isQuiet
  }

  var hasColor: Bool { console.hasColor }

  /// How the run uses its memory.
  func show(_ plan: ActivationPlan, byteCount: Int) {
    guard showsEvents else { return }
    note(
      "memory \(byteSize(byteCount)), \(byteSize(plan.byteCount)) of it for activations: "
        + "\(plan.sequences) sequences at once, \(plan.kept) of \(plan.executions) block "
        + "executions kept")
  }

  private var showsEvents: Bool { isBar || isPlain || isSparse }

  func show(_ event: Trainer.Event) {
    switch event {
    case .resumed(let step?, let total): note("going on after step \(step) of \(total)")
    case .resumed(nil, _): note("there is no checkpoint to go on from: starting again at step 1")
    case .step(let record, let total):
      if isBar {
        console.noteRaw(PrintedText.clearLine + bar(record.step, total) + " " + line(record, total))
        if record.step == total { console.noteRaw("\n") }
      } else if isPlain || isSparse && isTime(record.step == total) {
        console.note("step \(record.step)/\(total)  " + line(record, total))
      }
    case .skipped(let step):
      note("step \(step): the gradient is not finite, no update")
    case .evaluated(let record):
      let losses = record.results.map { result in
        (result.recurrence.map { "r = \($0): " } ?? "") + fixed(result.loss, 4)
          + (result.answers.map { ", \(fixed(100 * $0.exact, 1)) % exact" } ?? "")
      }
      if showsEvents {
        note("held out, step \(record.step)  " + losses.joined(separator: "  "))
      }
    case .saved(let step, let path):
      if showsEvents { note("checkpoint of step \(step): \(path)") }
    }
  }

  /// Whether so much time has passed that another line is due.
  private func isTime(_ isLast: Bool) -> Bool {
    lastLine.withLock { last in
      let now = monotonicSeconds()
      guard isLast || now - last >= Self.pause else { return false }
      last = now
      return true
    }
  }

  /// Tokens made so far from the source at `path`.
  func tokenising(_ path: String, _ count: Int) {
    if isBar { console.noteRaw("\(PrintedText.clearLine)\(path): \(grouped(count)) tokens") }
  }

  func endLine() {
    if isBar { console.noteRaw(PrintedText.clearLine) }
  }

  private func note(_ text: String) {
    if isQuiet { return }
    console.note((isBar ? PrintedText.clearLine : "") + text)
  }

  private func bar(_ step: Int, _ total: Int) -> String {
    let width = 20
    let full = step * width / max(total, 1)
    return "\(step)/\(total) " + String(repeating: "█", count: full)
      + String(repeating: "░", count: width - full)
  }

  private func line(_ record: StepRecord, _ total: Int) -> String {
    let left = record.seconds / Double(max(record.step, 1)) * Double(total - record.step)
    return "loss \(fixed(record.loss, 4))  r \(fixed(record.recurrence, 1))  "
      + "\(fixed(record.tokensPerSecond, 0)) tokens/s  ETA \(Self.clock(left))"
  }

  /// `1:02:03`, or `2:03`.
  static func clock(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "?" }
    let whole = Int(seconds.rounded())
    func two(_ value: Int) -> String { (value < 10 ? "0" : "") + "\(value)" }
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return hours > 0
      ? "\(hours):\(two(minutes)):\(two(whole % 60))" : "\(minutes):\(two(whole % 60))"
  }
}
