import ArgumentParser
import Foundation

/// Every benchmark, in the order in which they run. A new one is a file and a line here.
let benchmarks: [Benchmark] = [
  startUp, inspect, convertWeights, retrofit, retrofitLarge, prefill, decode, tokenizing,
  readingParquet,
  train, trainLarge,
]

/// Times ckpt against peers and ceilings, interleaved in one run.
@main
struct Main: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time ckpt against its peers and ceilings, as ratios.",
    discussion: benchmarks.map { "\($0.name): \($0.abstract)" }.joined(separator: "\n"))

  @Argument(help: "Names of benchmarks; none runs all.")
  var names: [String] = []

  @Option(help: "The ckpt binary, a release build.")
  var ckpt: String

  @Option(help: "A Python with torch and transformers, for the peers that need one.")
  var python: String?

  @Option(help: "Counted runs of each side.")
  var runs = 5

  @Option(help: "Folder for models and outputs; made, and left as it is.")
  var workspace = "build/bench"

  func validate() throws {
    for name in names where !benchmarks.contains(where: { $0.name == name }) {
      let known = benchmarks.map(\.name).joined(separator: ", ")
      throw ValidationError("no benchmark '\(name)'; there are: \(known)")
    }
    guard runs > 0 else { throw ValidationError("--runs must be at least 1") }
  }

  func run() throws {
    try FileManager.default.createDirectory(atPath: workspace, withIntermediateDirectories: true)
    let setting = Setting(ckpt: ckpt, python: python, runs: runs, workspace: workspace)
    print(setting.machine)
    for benchmark in benchmarks where names.isEmpty || names.contains(benchmark.name) {
      print("\n## \(benchmark.name): \(benchmark.abstract)\n")
      try benchmark.run(setting)
    }
  }
}
