import CheckpointCommands

@main
enum Main {
  static func main() { CheckpointCommand.start() }
}
