import ArgumentParser
import ByteIO
import JSON
import RecurrentPackage
import Reports
import Training
import Verification

/// `ckpt report`: what happened to a model, on one page.
struct ReportCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write one HTML page about a package and the runs that trained it.",
    discussion: """
      The page is one file that fetches nothing and needs no script. It shows which layers became \
      prelude, core and coda; the parameters; where the package comes from, and whether its files are \
      what its manifest says (exit code 1 when they are not); each run's curves and recipe; the held-out \
      loss by recurrence; what `ckpt verify --report PACKAGE/VERIFICATION.json` found, and how deep is safe; \
      and several runs by tokens and by FLOPs. Without PACKAGE, it shows the last run's own, if there is \
      one.

      Example:
        ckpt report run -o report.html
        ckpt report run-muon run-adamw smollm2-r -o report.html
      """)

  @Argument(help: "Run folders, and at most one package.", completion: .file())
  var paths: [String]
  @Option(name: [.short, .customLong("output")], help: "HTML file to write.", completion: .file())
  var outputPath: String
  @OptionGroup var replacement: ForceOption
  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> PageReport {
    let runs = try paths.filter { try RunSummary.isRun($0) }
    let others = paths.filter { !runs.contains($0) }
    guard others.count <= 1 else {
      throw UsageError(
        "\(others.joined(separator: " and ")) are not runs, and a report shows one package",
        hint: "a run's folder has metrics.jsonl")
    }
    try requireOutsidePackages(outputPath)
    let staged = try StagedOutput(
      at: outputPath, isFolder: false, force: replacement.force, inputs: paths, needed: 0)
    let summaries = try RunSummary.reading(runs)
    let package = try others.first ?? ownPackage(of: runs)
    let summary = try package.map { path in
      try ByteProgress(console, output, "report").following { report in
        try PackageSummary(path, progress: report)
      }
    }
    let page = ReportPage(runs: summaries, package: summary)
    let bytes = Array(page.html.utf8)
    try staged.publish(bytes)
    return PageReport(
      output: outputPath, byteCount: bytes.count, runs: summaries, package: summary, next: page.next
    )
  }

  /// The package that the last of the runs wrote.
  private func ownPackage(of runs: [String]) throws(FileError) -> String? {
    guard let folder = runs.last.map({ RunFolder($0) }) else { return nil }
    return try pathKind(folder.package) == .folder ? folder.package : nil
  }
}

/// What a page was made of.
struct PageReport: Report {
  static let command = "report"

  var output: String
  var byteCount: Int
  var runs: [RunSummary]
  var package: PackageSummary?
  var next: String?

  var isOK: Bool { package?.integrity != .failed }

  var json: JSONObject {
    [
      "output": .string(output), "bytes": JSONValue(byteCount),
      "runs": .array(
        runs.map { run in
          [
            "name": .string(run.name), "path": .string(run.path),
            "steps": JSONValue(run.steps.last?.step ?? 0),
            "steps_without_loss": JSONValue(run.brokenSteps),
          ]
        }),
      "package": package.map { package in
        [
          "path": .string(package.path), "root": JSONValue(package.manifest?.root.description),
          "integrity": .string(package.integrity.rawValue),
          "stability": JSONValue(Self.stability(package)),
          "problems": .array((package.problems ?? []).map { .string($0.description) }),
        ]
      } ?? .null,
    ]
  }

  private static func stability(_ package: PackageSummary) -> String? {
    package.verification.flatMap { verification in
      verification.certificate.map { verification.isOwn ? $0.verdict.rawValue : "stale" }
    }
  }

  var text: String {
    var text = "Report  \(output), \(byteSize(byteCount)): open it in a browser\n"
    for problem in package?.problems ?? [] { text += "FAILED  \(problem)\n" }
    return text
  }
}
