import ArgumentParser

/// How progress is shown on standard error.
enum ProgressStyle: String, ExpressibleByArgument, CaseIterable {
  /// A bar when standard error is a terminal, else a line every few seconds.
  case auto
  case none
  /// One line a step or stage, for logs.
  case plain
}

/// The flags that every command takes.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print one JSON document instead of text.")
  var json = false

  @Flag(name: [.short, .long], help: "Print results and errors only.")
  var quiet = false

  @Option(help: "How to show progress on standard error.")
  var progress = ProgressStyle.auto
}

/// The section of a long command's help that comes first: at most five options, those that matter
/// most.
let mainOptions = "Main options"

/// Replacing existing output.
struct ForceOption: ParsableArguments {
  @Flag(help: "Replace the output if it exists.")
  var force = false
}
