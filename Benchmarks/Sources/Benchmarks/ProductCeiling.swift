import COpenBLAS

/// The matrix products of one training step, timed alone: what a step would take if nothing else did.
struct ProductCeiling {
  /// `c[m, n] = a · b` over k, and how often it occurs in a step.
  struct Product {
    var m: Int
    var n: Int
    var k: Int
    var transposesA = false
    var transposesB = false
    var adds = false
    var count: Int

    var operations: Double { 2 * Double(m) * Double(n) * Double(k) * Double(count) }
  }

  let products: [Product]
  /// Of attention: two products forward and four backward, the causal half of each. What a program
  /// computes again is not counted.
  private let attentionOperations: Double

  /// - Parameters:
  ///   - parts: Blocks of prelude, core and coda.
  ///   - sequences, length: Of a step.
  init(_ model: SyntheticModel, parts: [Int], recurrence: Int, sequences: Int, length: Int) {
    let (h, m) = (model.hidden, model.intermediate)
    let tokens = sequences * length
    let executions = parts[0] + parts[1] * recurrence + parts[2]
    attentionOperations = 6 * Double(tokens * (length + 1) * h * executions)
    let layers = [
      (h + 2 * model.keyValueWidth, h, executions), (h, h, executions), (2 * m, h, executions),
      (h, m, executions), (h, h, recurrence + 1), (model.vocabulary, h, 1),
    ]
    products = layers.flatMap { out, input, count in
      [
        Product(m: tokens, n: out, k: input, transposesB: true, count: count),
        Product(m: tokens, n: input, k: out, count: count),
        Product(m: out, n: input, k: tokens, transposesA: true, adds: true, count: count),
      ]
    }
  }

  private var operations: Double { products.reduce(0) { $0 + $1.operations } }

  /// Seconds that OpenBLAS's sgemm takes for all of them, attention's at the rate of the others.
  func seconds(threads: Int) -> Double {
    openblas_set_num_threads(Int32(threads))
    let size = products.map { max($0.m * $0.k, $0.k * $0.n, $0.m * $0.n) }.max() ?? 0
    let a = [Float](repeating: 0.5, count: size)
    let b = [Float](repeating: 0.25, count: size)
    var c = [Float](repeating: 0, count: size)
    let clock = ContinuousClock()
    var sum = 0.0
    for product in products {
      let times = (0..<4).map { _ in
        clock.measure { Self.run(product, a, b, &c) } / .seconds(1)
      }
      // The first touches memory for the first time.
      sum += Double(product.count) * Samples(values: Array(times.dropFirst())).median
    }
    return sum * (1 + attentionOperations / operations)
  }

  private static func run(_ p: Product, _ a: [Float], _ b: [Float], _ c: inout [Float]) {
    cblas_sgemm(
      CblasRowMajor, p.transposesA ? CblasTrans : CblasNoTrans,
      p.transposesB ? CblasTrans : CblasNoTrans, blasint(p.m), blasint(p.n), blasint(p.k), 1, a,
      blasint(p.transposesA ? p.m : p.k), b, blasint(p.transposesB ? p.k : p.n), p.adds ? 1 : 0, &c,
      blasint(p.n))
  }
}
