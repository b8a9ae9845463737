import Dispatch
import Synchronization

/// Runs `body` for 0..<count on at most `threads` threads, each taking the next number that is
/// left; the first error stops the rest, and is thrown.
package func inParallel(
  _ count: Int, threads: Int, _ body: @Sendable (Int) throws -> Void
) throws {
  let next = Atomic<Int>(0)
  let failure = Mutex<(any Error)?>(nil)
  DispatchQueue.concurrentPerform(iterations: max(1, min(threads, count))) { _ in
    while true {
      let i = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard i < count, failure.withLock({ $0 == nil }) else { return }
      do { try body(i) } catch { failure.withLock { $0 = $0 ?? error } }
    }
  }
  if let error = failure.withLock({ $0 }) { throw error }
}
