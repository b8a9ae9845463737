import ByteIO
import Platform
import Synchronization

/// Where a command's words go: results to one sink, everything else to the other.
///
/// Tests pass their own sinks; the program passes standard output and standard error.
final class Console: Sendable {
  typealias Sink = @Sendable (String) throws(FileError) -> Void

  private let output: Sink
  private let notes: Sink
  /// Why results were lost.
  private let failure = Mutex<FileError?>(nil)
  /// Whether the notes go to a terminal, so that a line may be redrawn.
  let isInteractive: Bool
  /// Whether the results go to a terminal.
  let isTerminal: Bool
  /// Whether the results go to a terminal that shows colours.
  let hasColor: Bool

  init(
    isInteractive: Bool = false, isTerminal: Bool = false, hasColor: Bool = false,
    output: @escaping Sink, notes: @escaping Sink
  ) {
    self.output = output
    self.notes = notes
    self.isInteractive = isInteractive
    self.isTerminal = isTerminal
    self.hasColor = hasColor
  }

  /// Standard output and standard error of this process.
  static let standard = Console(
    isInteractive: Descriptor.standardError.isTerminal,
    isTerminal: Descriptor.standardOutput.isTerminal,
    hasColor: Descriptor.standardOutput.isTerminal && !hasEnvironment("NO_COLOR")
      && environment("TERM") != "dumb",
    output: { (text) throws(FileError) in
      try write(text, to: .standardOutput, called: "standard output")
    },
    notes: { (text) throws(FileError) in
      try write(text, to: .standardError, called: "standard error")
    })

  /// Writes `text` to the results, control characters spelled out. After a write that fails nothing
  /// more is written: `requireOutput` tells.
  func write(_ text: String) { writeExact(PrintedText.shown(text)) }

  /// Writes what a model or a tokenizer made of text: as it is, unless a terminal would obey it.
  func writeModelText(_ text: String) {
    writeExact(isTerminal ? PrintedText.shown(text) : text)
  }

  private func writeExact(_ text: String) {
    failure.withLock { failure in
      if failure != nil { return }
      do throws(FileError) { try output(text) } catch { failure = error }
    }
  }

  /// Writes one line to the results.
  func print(_ line: String) { write(line + "\n") }

  /// Throws when results were lost: the device is full, or nobody reads any more.
  func requireOutput() throws(FileError) {
    if let failure = failure.withLock({ $0 }) { throw failure }
  }

  /// Writes `text` to the notes, control characters spelled out. Where nobody reads them there is
  /// nobody to tell.
  func noteRaw(_ text: String) { do { try notes(PrintedText.shown(text)) } catch {} }

  /// Writes one line to the notes.
  func note(_ line: String) { noteRaw(line + "\n") }

  private static func write(
    _ text: String, to descriptor: Descriptor, called name: String
  ) throws(FileError) {
    do { try descriptor.write(Array(text.utf8).rawSpan) } catch {
      throw .refused("write", name, error)
    }
  }

  private static func hasEnvironment(_ name: String) -> Bool {
    environment(name).map { !$0.isEmpty } ?? false
  }
}
