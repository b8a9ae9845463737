import ByteIO
import Synchronization

/// A bar for work that several threads do on bytes.
struct ByteProgress {
  private let console: Console
  private let options: OutputOptions
  private let label: String

  init(_ console: Console, _ options: OutputOptions, _ label: String) {
    self.console = console
    self.options = options
    self.label = label
  }

  /// Does `work`, which tells the bytes done and the bytes there are, from any thread; clears the
  /// bar when it ends, well or not.
  func following<Result>(
    _ work: (@escaping @Sendable (Int, Int) -> Void) throws -> Result
  ) rethrows -> Result {
    let bar = Mutex<(progress: Progress, done: Int)?>(nil)
    defer { bar.withLock { $0?.progress.finish() } }
    let (console, options, label) = (console, options, label)
    return try work { done, total in
      bar.withLock { bar in
        var (progress, before) =
          bar ?? (Progress(console, options, label, total: total) { byteSize($0) }, 0)
        // Threads may come in another order than they counted.
        if done > before { progress.advance(done - before) }
        bar = (progress, max(done, before))
      }
    }
  }
}
