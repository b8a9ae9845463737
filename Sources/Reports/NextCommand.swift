import ByteIO

/// The commands that follow others, as a person types them. A word in capitals stands for what only
/// that person can know.
package enum NextCommand {
  package static func inspect(_ path: String) -> String { "ckpt inspect \(shellWord(path))" }

  package static func convert(_ path: String) -> String {
    "ckpt convert \(shellWord(path)) -o FILE.safetensors"
  }

  /// - Parameter decoding: Whether from ids to text.
  package static func tokenize(_ model: String, decoding: Bool) -> String {
    "ckpt tokenize \(shellWord(model))" + (decoding ? " --decode" : "")
  }

  package static func layers(_ model: String, data: String) -> String {
    "ckpt layers \(shellWord(model)) --data \(shellWord(data))"
  }

  /// - Parameter layers: The options that choose them.
  package static func retrofit(_ model: String, _ layers: String) -> String {
    "ckpt retrofit \(shellWord(model)) \(layers) -o PACKAGE"
  }

  /// What a dry run would have written.
  ///
  /// - Parameter arguments: The dry run's, without the program.
  package static func writing(_ arguments: [String], hasOutput: Bool) -> String {
    let words = arguments.filter { $0 != "--dry-run" }.map(shellWord)
    return (["ckpt"] + words + (hasOutput ? [] : ["-o", "PACKAGE"])).joined(separator: " ")
  }

  /// - Parameter source: The model that the package was made of; nil to leave it out.
  package static func verify(_ package: String, source: String? = nil) -> String {
    "ckpt verify \(shellWord(package))" + (source.map { " --source \(shellWord($0))" } ?? "")
  }

  /// Follows the state on a text, and keeps the finding in the file `report`.
  static func stability(_ package: String, report: String) -> String {
    "ckpt verify \(shellWord(package)) --stability FILE --report "
      + shellWord("\(package)/\(report)")
  }

  package static func train(_ model: String, data: String? = nil) -> String {
    "ckpt train \(shellWord(model)) --data \(data.map(shellWord) ?? "FILE") -o RUN"
  }

  package static func train(_ model: String, recipe: String) -> String {
    "ckpt train \(shellWord(model)) --recipe \(shellWord(recipe)) -o RUN"
  }

  package static func unpack(_ archive: String) -> String {
    "ckpt unpack \(shellWord(archive)) -o PACKAGE"
  }

  static func resume(_ run: String) -> String { "ckpt train MODEL -o \(shellWord(run)) --resume" }

  /// More steps for a run that has come to its end.
  static func extend(_ run: String) -> String { resume(run) + " --steps N" }

  /// - Parameter mean: The model's own number of recurrences; nil when it has none.
  package static func eval(_ model: String, mean: Int?) -> String {
    "ckpt eval \(shellWord(model)) --data FILE" + (mean.map { " --recurrence " + depths($0) } ?? "")
  }

  package static func generate(_ model: String, recurrence: Int?) -> String {
    "ckpt generate \(shellWord(model)) --prompt TEXT"
      + (recurrence.map { " --recurrence \($0)" } ?? "")
  }

  static func export(_ package: String) -> String {
    "ckpt export \(shellWord(package)) --to transformers -o FOLDER"
  }

  static func runs(_ runs: [String]) -> String {
    "ckpt runs " + runs.map(shellWord).joined(separator: " ")
  }

  package static func report(_ runs: [String]) -> String {
    "ckpt report " + runs.map(shellWord).joined(separator: " ") + " -o report.html"
  }

  /// Once, half as often as the model does by itself, as often, and twice as often where that is still
  /// a depth that `ckpt verify` looks at.
  private static func depths(_ mean: Int) -> String {
    Set([1, (mean + 1) / 2, mean, min(2 * mean, max(mean, 64))]).sorted()
      .map { "\($0)" }.joined(separator: ",")
  }
}
