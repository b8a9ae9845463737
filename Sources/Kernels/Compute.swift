/// How a computation is carried out: on which threads, and in which precision.
package struct Compute: Sendable {
  package let pool: ThreadPool
  /// How matrix products of training treat their operands.
  package let precision: Precision

  /// - Parameters:
  ///   - threads: The caller's included; nil takes one for each processor.
  ///   - precision: One that the processor supports.
  /// - Throws: As `ThreadPool` does.
  package init(_ threads: Int? = nil, precision: Precision = .float32) throws {
    precondition(precision.isSupported, "the processor has the precision; check before")
    pool = try ThreadPool(threads)
    self.precision = precision
  }

  /// Threads of the pool.
  package var count: Int { pool.count }

  /// `ThreadPool.run`.
  package func run(_ body: (_ worker: Int) -> Void) { pool.run(body) }

  /// `ThreadPool.divide`.
  package func divide(_ count: Int, grain: Int = 1, _ body: (_ worker: Int, Range<Int>) -> Void) {
    pool.divide(count, grain: grain, body)
  }

  /// `ThreadPool.each`.
  package func each(_ count: Int, _ body: (_ worker: Int, _ task: Int) -> Void) {
    pool.each(count, body)
  }

  /// `ThreadPool.share`.
  package func share(_ count: Int, grain: Int, _ body: (_ worker: Int, Range<Int>) -> Void) {
    pool.share(count, grain: grain, body)
  }

  /// `ThreadPool.workspace`.
  func workspace(_ worker: Int, floats: Int) -> UnsafeMutablePointer<Float> {
    unsafe pool.workspace(worker, floats: floats)
  }
}
