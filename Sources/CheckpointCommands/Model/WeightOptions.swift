import ArgumentParser
import Transformer

extension WeightStorage: ExpressibleByArgument {}

/// How a model's weights are held in memory while it runs.
struct WeightOptions: ParsableArguments {
  @Option(
    help: """
      How large matrices are held in memory: stored, as the file has them, or q8_0, rounded to eight \
      bits: less memory, faster for one text at a time, and other numbers.
      """)
  var weights = WeightStorage.stored
}
