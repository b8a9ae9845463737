import ArgumentParser
import Transformer

extension WeightStorage: ExpressibleByArgument {}

/// How a model's weights are held in memory while it runs.
struct WeightOptions: ParsableArguments {
  @Option(
    help: """
      How to hold large matrices in memory: stored, as in the file, or q8_0, rounded to eight bits, \
      which takes less memory and is faster for one text at a time, but changes the numbers.
      """)
  var weights = WeightStorage.stored
}
