import ArgumentParser
import Synchronization
import Testing

@testable import CheckpointCommands

@Suite("progress in bytes")
struct ByteProgressTests {
  /// What is written to the notes while `work` runs.
  private func notes(
    isInteractive: Bool, _ arguments: [String], _ work: @Sendable (ByteProgress) -> Void
  ) throws -> String {
    let notes = Mutex("")
    let console = Console(
      isInteractive: isInteractive, output: { _ in },
      notes: { text in notes.withLock { $0 += text } })
    work(ByteProgress(console, try OutputOptions.parse(arguments), "copy"))
    return notes.withLock { $0 }
  }

  private let halves: @Sendable (ByteProgress) -> Void = { progress in
    progress.following { report in
      report(1 << 20, 2 << 20)
      report(2 << 20, 2 << 20)
    }
  }

  @Test("a bar on a terminal, cleared at the end")
  func bar() throws {
    let text = try notes(isInteractive: true, [], halves)
    #expect(text.contains("copy ━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌ 1.0 MiB/2.0 MiB"))
    #expect(text.hasSuffix("\r\u{1B}[K"))
  }

  @Test("lines for logs, the last one at the end")
  func lines() throws {
    let text = try notes(isInteractive: false, ["--progress", "plain"], halves)
    #expect(text.hasSuffix("copy 2.0 MiB/2.0 MiB\n"))
    #expect(!text.contains("\r"))
  }

  @Test(
    "nothing otherwise",
    arguments: [
      (true, ["--progress", "none"]), (true, ["--quiet"]), (false, []),
      (false, ["--progress", "plain", "--quiet"]),
    ])
  func silent(isInteractive: Bool, arguments: [String]) throws {
    #expect(try notes(isInteractive: isInteractive, arguments, halves).isEmpty)
  }

  @Test("threads may report in any order")
  func unordered() throws {
    let text = try notes(isInteractive: false, ["--progress", "plain"]) { progress in
      progress.following { report in
        report(3, 3)
        report(1, 3)
      }
    }
    #expect(text == "copy 3 B/3 B\n")
  }
}
