import ArgumentParser
import ByteIO
import JSON
import PackageTraining
import Platform

/// A subcommand: does its work and gives a report, which is rendered here, once for all.
protocol Verb: ParsableCommand {
  associatedtype Result: Report
  var output: OutputOptions { get }
  /// Whether JSON documents stand on a line each.
  var writesLines: Bool { get }

  /// Does the work. Long work writes its progress and notes to `console`.
  func perform(_ console: Console) throws -> Result
}

extension Verb {
  var writesLines: Bool { false }

  /// Runs the command in this process and ends it: report to standard output, exit code by its
  /// outcome. Nothing is left to be done then, and libraries that would clean up behind themselves
  /// may wait for what the system does not give them.
  func run() throws {
    Descriptor.reserveStandard()
    Interruption.install()
    endProcess(execute(Console.standard))
  }

  /// Performs the command, renders what came out to `console`, and gives the exit code.
  func execute(_ console: Console) -> Int32 {
    do {
      let report = try perform(console)
      render(report, to: console)
      try console.requireOutput()
      return report.isOK ? 0 : FailureKind.checkFailed.rawValue
    } catch {
      render(error, to: console)
      return (error as? any DiagnosedError)?.kind.rawValue ?? FailureKind.internal.rawValue
    }
  }

  private func render(_ report: Result, to console: Console) {
    if report.isSilent { return }
    let warnings = report.warnings + LateWarnings.take()
    if output.json {
      let value = document(
        command: Result.command, isOK: report.isOK, fields: report.json,
        warnings: warnings, errors: [])
      console.print(value.text(indent: 2))
    } else {
      if !output.quiet { for line in Warning.lines(warnings) { console.note(line) } }
      if report.isModelText {
        console.writeModelText(report.text)
      } else {
        console.write(report.text)
      }
      if report.isOK, !output.quiet, let next = report.next { console.note("next: " + next) }
    }
  }

  func render(_ error: any Error, to console: Console) {
    if error is ReportedElsewhere { return }
    if output.json {
      let value = document(
        command: Result.command, isOK: false, fields: [:], warnings: LateWarnings.take(),
        errors: [json(of: error)])
      console.print(value.text(indent: writesLines ? nil : 2))
      // Where documents do not arrive, this is the way left.
      do { try console.requireOutput() } catch { console.note("error: \(error)") }
    } else {
      if !output.quiet { for line in Warning.lines(LateWarnings.take()) { console.note(line) } }
      console.note("error: \(error)")
    }
  }
}
