/// How a computation is carried out: on which threads, and in which precision.
package struct Compute: Sendable {
  package let pool: ThreadPool
  /// How matrix products treat their operands.
  package let precision: Precision
  /// Rows up to which a linear layer reads its weights as they are, once, and computes in float32.
  let fewRows: Int

  /// - Parameters:
  ///   - threads: The caller's included; nil takes one for each processor.
  ///   - precision: One that the processor supports.
  ///   - isDecoding: Up to `independentRows` rows of a linear layer have the results that each would
  ///     have alone, whatever the precision. In float32 they always have.
  /// - Throws: `MissingPrecision`, and as `ThreadPool` does.
  package init(
    _ threads: Int? = nil, precision: Precision = .float32, isDecoding: Bool = false
  ) throws {
    try precision.requireProcessor()
    pool = try ThreadPool(threads)
    self.precision = precision
    fewRows = precision == .bf16 && !isDecoding ? readBoundRows : independentRows
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
