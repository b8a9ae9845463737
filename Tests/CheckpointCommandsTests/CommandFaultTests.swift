import ArgumentParser
import ByteIO
import Foundation
import Tensors
import TestSupport
import Testing

@testable import CheckpointCommands

/// A command that writes, as a line of shell: `$1` is its input, `$2` its output.
struct WritingCommand: CustomTestStringConvertible {
  var name: String
  var line: String
  /// Whether the input is a package, or its tar; a source model otherwise.
  var input: Input

  enum Input { case source, package, tar }

  var testDescription: String { name }

  /// Makes what the command reads, of some 20 MB.
  func makeInput(in folder: TemporaryFolder) throws -> String {
    let source = try sparseSource(in: folder, hidden: 320, layers: 8)
    if input == .source { return source }
    let (package, tar) = (folder.file("package"), folder.file("package.tar"))
    #expect(
      try Executable.shell(
        "exec \"$0\" retrofit \"$1\" --select 0/1-6/7 -o \"$2\"", source, package) == 0)
    if input == .package { return package }
    #expect(try Executable.shell("exec \"$0\" pack \"$1\" -o \"$2\"", package, tar) == 0)
    return tar
  }

  static let all = [
    WritingCommand(
      name: "retrofit", line: "\"$0\" retrofit \"$1\" --select 0/1-6/7 -o \"$2\" --force",
      input: .source),
    WritingCommand(
      name: "convert", line: "\"$0\" convert \"$1\" -o \"$2\" --to folder --force", input: .source),
    WritingCommand(
      name: "pack", line: "\"$0\" pack \"$1\" -o \"$2\" --force", input: .package),
    WritingCommand(
      name: "pack --compress",
      line: "\"$0\" pack \"$1\" -o \"$2\" --compress zstd --force", input: .package),
    WritingCommand(
      name: "unpack", line: "\"$0\" unpack \"$1\" -o \"$2\" --force", input: .tar),
  ]
}

/// Starting the program many times takes a few seconds.
@Suite("faults while a command writes")
struct CommandFaultTests {
  let folder = TemporaryFolder()
  private var output: String { folder.file("out/o") }

  private func input(_ command: WritingCommand) throws -> String {
    try FileManager.default.createDirectory(
      atPath: folder.file("out"), withIntermediateDirectories: true)
    return try command.makeInput(in: folder)
  }

  /// Every file at or below the output, and its digest; nil when there is no output.
  private func state() throws -> [String: Digest]? {
    func digest(_ path: String) throws -> Digest {
      SHA256.digest(of: try ByteRegion(path: path).contents(limit: 1 << 28))
    }
    switch try pathKind(output) {
    case .file?: return ["": try digest(output)]
    case .folder?:
      var files: [String: Digest] = [:]
      for name in try folderEntries(output) { files[name] = try digest(output + "/" + name) }
      return files
    default: return nil
    }
  }

  private func leftovers() throws -> [String] {
    try folderEntries(folder.file("out")).filter { $0 != "o" }
  }

  @Test("killed at any moment, the old state or the new", arguments: WritingCommand.all)
  func killed(command: WritingCommand) throws {
    let input = try input(command)
    let clock = ContinuousClock()
    let start = clock.now
    #expect(try Executable.shell("exec " + command.line, input, output) == 0)
    let whole = (clock.now - start) / .seconds(1)
    let new = try #require(try state())
    let random = RandomStream(seed: 74)
    for moment in 0..<6 {
      // The old state: something else, of the same kind.
      try removeTree(output)
      try folder.write([1, 2, 3], to: new.keys.first == "" ? "out/o" : "out/o/old")
      let old = try #require(try state())
      let delay = 1.2 * whole * random.uniform(at: UInt64(moment))
      _ = try Executable.shell("\(command.line) & sleep \(delay); kill -9 $!; wait", input, output)
      let found = try state()
      #expect(found == old || found == new, "killed after \(delay) s of \(whole)")
    }
    #expect(try Executable.shell("exec " + command.line, input, output) == 0)
    #expect(try state() == new)
    #expect(try leftovers().isEmpty, "the next run removes what the killed ones left")
  }

  @Test("interrupted, nothing is published and nothing stays", arguments: WritingCommand.all)
  func interrupted(command: WritingCommand) throws {
    let input = try input(command)
    try folder.write([1, 2, 3], to: "out/o")
    let old = try state()
    let code = try Executable.shell(
      "\(command.line) & until ls -A \"$3\" | grep -q partial || ! kill -0 $!; do :; done; "
        + "kill -INT $!; wait $!", input, output, folder.file("out"))
    // A quick machine may be done before the signal comes.
    #expect(code == 130 || code == 0)
    if code == 130 { #expect(try state() == old) }
    #expect(try leftovers().isEmpty)
  }

  @Test("a file at its limit is an error, and the old state stays", arguments: WritingCommand.all)
  func limited(command: WritingCommand) throws {
    let input = try input(command)
    try folder.write([1, 2, 3], to: "out/o")
    let old = try state()
    // The shell's limit on a file's size, in KiB; the ignored signal makes the write fail instead.
    // Holes compress to next to nothing.
    let limit = command.name.hasSuffix("--compress") ? 1 : 4096
    let code = try Executable.shell(
      "trap '' XFSZ; ulimit -f \(limit); exec \(command.line)", input, output)
    #expect(code == 5)
    #expect(try state() == old)
    #expect(try leftovers().isEmpty)
  }

  @Test("a source cut while it is converted is an error, and the old state stays")
  func cut() throws {
    let source = try sparseSource(in: folder, hidden: 320, layers: 8)
    try folder.write([1, 2, 3], to: "out/o")
    let old = try state()
    // The first line of progress comes when the first piece is written.
    let console = Console(
      output: { _ in },
      notes: { _ in
        try? FileHandle(forUpdatingAtPath: source + "/model.safetensors")?.truncate(atOffset: 8192)
      })
    let command = try Convert.parse([
      source, "-o", output, "--to", "safetensors", "--force", "--progress", "plain",
    ])
    #expect(command.execute(console) == 5)
    #expect(try state() == old)
    #expect(try leftovers().isEmpty)
  }

  @Test("a killed verify leaves the old report or the new")
  func report() throws {
    let package = folder.file("p")
    let made = try outcome(
      Retrofit.self,
      [Fixtures.path("golden/tiny-llama/source"), "--select", "0/1,4/9", "-o", package])
    #expect(made.code == 0)
    let report = package + "/VERIFICATION.json"
    let line = "\"$0\" verify \"$1\" --report \"$2\" --force"
    #expect(try Executable.shell("exec " + line, package, report) == 0)
    let new = try ByteRegion(path: report).contents(limit: 1 << 20)
    for delay in [0.01, 0.05, 0.1, 0.2] {
      try Data([1]).write(to: URL(filePath: report))
      _ = try Executable.shell("\(line) & sleep \(delay); kill -9 $!; wait", package, report)
      let found = try ByteRegion(path: report).contents(limit: 1 << 20)
      #expect(found == [1] || found == new)
    }
    #expect(try Executable.shell("exec " + line, package, report) == 0)
    // What a killed run left beside the report would be a file that no manifest lists.
    #expect(try Executable.shell("exec \"$0\" verify \"$1\"", package) == 0)
  }
}
