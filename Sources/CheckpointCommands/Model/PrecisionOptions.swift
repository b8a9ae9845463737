import ArgumentParser
import Kernels

extension Precision: ExpressibleByArgument {}

/// In which precision a model runs that is not trained.
struct PrecisionOptions: ParsableArguments {
  @Option(
    help: """
      Precision of products for more than \(independentRows) tokens at a time, such as those of a prompt: \
      bf16 rounds their operands, which is faster on processors that have such products.
      """)
  var precision = Precision.float32

  /// - Parameter threads: Nil takes one for each processor.
  func compute(_ threading: ThreadOptions) throws -> Compute {
    try Compute(threading.threads, precision: precision, isDecoding: true)
  }
}
