package import ArgumentParser
import ByteIO
import JSON
import Platform
import RecurrentPackage

/// The `ckpt` command: one subcommand a verb, one file each.
package struct CheckpointCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "ckpt",
    abstract: "Turn pretrained language models into depth-recurrent ones.",
    version: ToolVersion.current.text,
    groupedSubcommands: [
      CommandGroup(
        name: "Models",
        subcommands: [Inspect.self, Layers.self, Init.self, Convert.self, Diff.self]),
      CommandGroup(
        name: "Recurrence",
        subcommands: [Retrofit.self, Verify.self, Export.self, Pack.self, Unpack.self]),
      CommandGroup(name: "Training", subcommands: [Train.self, Runs.self, ReportCommand.self]),
      CommandGroup(
        name: "Measuring", subcommands: [Eval.self, Generate.self, Trace.self, Tokenize.self]),
      CommandGroup(name: "Help", subcommands: [Manual.self]),
    ])

  package init() {}

  /// Runs the command line of this process and exits.
  package static func start() -> Never {
    // Without it, there would be no arguments, which looks like a wish for help.
    guard CommandLine.argc > 0 else {
      let error = FileError.missing("/proc/self/cmdline")
      Console.standard.note("error: \(error)")
      endProcess(error.kind.rawValue)
    }
    endProcess(run(processArguments(), Console.standard))
  }

  /// Runs a command line; the exit code. A command that begins ends the process itself.
  static func run(_ arguments: [String], _ console: Console) -> Int32 {
    do {
      var command = try parseAsRoot(arguments)
      try command.run()
      return 0
    } catch {
      // Help, the version and completion scripts; help of a command that there is not is an overview.
      if exitCode(for: error).isSuccess, !asksForUnknownHelp(arguments) { exit(withError: error) }
      return refuse(message(for: error), arguments, console)
    }
  }

  private static func asksForUnknownHelp(_ arguments: [String]) -> Bool {
    guard arguments.first == "help", let name = arguments.dropFirst().first else { return false }
    let names = configuration.subcommands.map { $0._commandName } + ["help"]
    return !name.hasPrefix("-") && !names.contains(name)
  }

  /// Says what is wrong with a command line, as every other error is said.
  private static func refuse(
    _ complaint: String, _ arguments: [String], _ console: Console
  ) -> Int32 {
    do {
      let help = try JSONValue(parsing: Array(_dumpHelp().utf8), path: "help")
      let advice = CommandLineAdvice(complaint, arguments, help: help)
      let error = advice.error
      if arguments.contains("--json") {
        let value = document(
          command: advice.command ?? "usage", isOK: false, fields: [:], warnings: [],
          errors: [json(of: error)])
        console.print(value.text(indent: 2))
        try console.requireOutput()
      } else {
        console.note("error: \(error)")
      }
    } catch {
      console.note("error: \(error)")
    }
    return FailureKind.usage.rawValue
  }
}
