import ArgumentParser
import JSON
import RecurrentPackage

/// `ckpt manual`: the manual page, made of what the argument parser knows.
struct Manual: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Print the manual page.",
    discussion: """
      The page is in roff, for man. CONTRIBUTING.md says how to install it, and the completions \
      that --generate-completion-script prints for bash, zsh and fish.

      Example:
        ckpt manual | man -l -
        ckpt manual > /usr/local/share/man/man1/ckpt.1
      """)

  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> ManualReport {
    let help = try JSONValue(parsing: Array(CheckpointCommand._dumpHelp().utf8), path: "help")
    return ManualReport(
      page: ManualPage(help, version: ToolVersion.current.number).text)
  }
}

/// The manual page.
struct ManualReport: Report {
  static let command = "manual"

  var page: String

  var json: JSONObject { ["page": .string(page)] }
  var text: String { page }
  var next: String? { "ckpt manual | man -l -" }
}
