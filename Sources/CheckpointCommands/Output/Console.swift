import ByteIO
import Platform

/// Where a command's words go: results to one sink, everything else to the other.
///
/// Tests pass their own sinks; the program passes standard output and standard error.
final class Console: Sendable {
  private let output: @Sendable (String) -> Void
  private let notes: @Sendable (String) -> Void
  /// Whether the notes go to a terminal, so that a line may be redrawn.
  let isInteractive: Bool
  /// Whether the results go to a terminal that shows colours.
  let hasColor: Bool

  init(
    isInteractive: Bool = false, hasColor: Bool = false,
    output: @escaping @Sendable (String) -> Void, notes: @escaping @Sendable (String) -> Void
  ) {
    self.output = output
    self.notes = notes
    self.isInteractive = isInteractive
    self.hasColor = hasColor
  }

  /// Standard output and standard error of this process.
  static let standard = Console(
    isInteractive: Descriptor.standardError.isTerminal,
    hasColor: Descriptor.standardOutput.isTerminal && !hasEnvironment("NO_COLOR"),
    output: { write($0, to: .standardOutput) },
    notes: { write($0, to: .standardError) })

  /// Writes `text` to the results, as it is.
  func write(_ text: String) { output(text) }

  /// Writes one line to the results.
  func print(_ line: String) { output(line + "\n") }

  /// Writes `text` to the notes, as it is.
  func noteRaw(_ text: String) { notes(text) }

  /// Writes one line to the notes.
  func note(_ line: String) { notes(line + "\n") }

  private static func write(_ text: String, to descriptor: Descriptor) {
    // A closed pipe ends the reader's interest, not our work.
    do { try descriptor.write(Array(text.utf8).rawSpan) } catch {}
  }

  private static func hasEnvironment(_ name: String) -> Bool {
    environment(name).map { !$0.isEmpty } ?? false
  }
}
