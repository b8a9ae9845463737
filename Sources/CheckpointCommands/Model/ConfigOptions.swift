import ArgumentParser

/// What the user says of fields of a configuration that this tool does not know.
struct ConfigOptions: ParsableArguments {
  @Option(
    name: .customLong("ignore-field"),
    help: ArgumentHelp(
      """
      A field of config.json that has no effect on the numbers, although the model family does not \
      list it; repeatable.
      """, valueName: "name"))
  var ignored: [String] = []

  var ignoring: Set<String> { Set(ignored) }
}
