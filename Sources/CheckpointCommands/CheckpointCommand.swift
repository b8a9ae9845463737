package import ArgumentParser
import Platform
import RecurrentPackage

/// The `ckpt` command: one subcommand a verb, one file each.
package struct CheckpointCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "ckpt",
    abstract: "Turn pretrained language models into depth-recurrent ones.",
    version: ToolVersion.current,
    subcommands: [
      Inspect.self,
      Layers.self,
      Retrofit.self,
      Verify.self,
      Train.self,
      Runs.self,
      ReportCommand.self,
      Eval.self,
      Generate.self,
      Trace.self,
      Convert.self,
      Export.self,
      Diff.self,
      Tokenize.self,
      Pack.self,
      Unpack.self,
      Manual.self,
    ])

  package init() {}

  /// Runs the command line of this process and exits.
  package static func start() -> Never {
    main(processArguments())
    exit()
  }
}
