package import ByteIO
import Synchronization

/// Shares the work on a package's weight files out among threads: writing them, hashing them, and
/// hashing the files that they are made of.
package final class WriteSchedule: Sendable {
  private let sources: [RunningDigest]
  private let sourceBytes: Int
  private let outputBytes: Int
  private let written = Atomic<Int>(0)
  private let progress: WriteProgress

  /// - Parameters:
  ///   - sources: Files whose digests are wanted.
  ///   - outputBytes: Bytes of all weight files, which are written and then hashed.
  ///   - report: Called with the bytes of work done and the bytes there are, from any thread.
  package init(
    sources: [ByteRegion], outputBytes: Int, report: @escaping @Sendable (Int, Int) -> Void
  ) {
    self.sources = sources.map(RunningDigest.init)
    self.outputBytes = outputBytes
    sourceBytes = sources.reduce(0) { $0 + $1.byteCount }
    progress = WriteProgress(total: 2 * outputBytes + sourceBytes, report: report)
  }

  /// Writes and hashes `file`, and sources meanwhile; all of them if it is the last file.
  package func run(_ file: WeightFileWriter, isLast: Bool, threads: Int) throws {
    let isStopped = Atomic<Bool>(false)
    try inParallel(threads, threads: threads) { _ in
      while !isStopped.load(ordering: .relaxed) {
        do {
          let count = try step(file, isLast: isLast)
          guard count > 0 else { return }
          progress.advance(count)
        } catch {
          isStopped.store(true, ordering: .relaxed)
          throw error
        }
      }
    }
  }

  /// Does what is most urgent; zero when nothing is left for this thread.
  ///
  /// A digest runs on one thread at a time, so the file's comes first. The sources' then keep step
  /// with the writing, or one of them would be left to the end with a thread idle.
  private func step(_ file: WeightFileWriter, isLast: Bool) throws -> Int {
    let hashed = try file.hash()
    if hashed > 0 { return hashed }
    if isSourceBehind {
      let count = try advanceSource()
      if count > 0 { return count }
    }
    let count = try file.write()
    written.wrappingAdd(count, ordering: .relaxed)
    if count > 0 { return count }
    return isLast || !file.isHashed ? try advanceSource() : 0
  }

  private var isSourceBehind: Bool {
    let done = sources.reduce(0) { $0 + $1.position }
    let share = Double(done) / Double(max(1, sourceBytes))
    return share < Double(written.load(ordering: .relaxed)) / Double(max(1, outputBytes))
  }

  private func advanceSource() throws -> Int {
    for source in sources {
      let count = try source.advance()
      if count > 0 { return count }
    }
    return 0
  }

  /// The sources and their digests; throws when one changed meanwhile.
  package func finishedSources() throws -> [(region: ByteRegion, digest: Digest)] {
    try sources.map { source in
      let digest = try source.finish()
      try source.region.requireUnchanged()
      return (source.region, digest)
    }
  }
}
