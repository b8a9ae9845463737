import ArgumentParser
import ByteIO
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

/// What the machine may do to a command, beside what `Scripts/faults/sweep.py` tries call by call.
@Suite("a machine that fails")
struct MachineFaultTests {
  let folder = TemporaryFolder()
  private let model = Fixtures.path("tiny-arithmetic")
  private let text = Fixtures.path("text/heldout.txt")

  private func package() throws -> String {
    let path = folder.file("p")
    let made = try outcome(
      Retrofit.self, [model, "--prelude", "1", "--core", "1", "--coda", "1", "-o", path])
    #expect(made.code == 0)
    return path
  }

  @Test(
    "results that do not arrive are exit 5",
    arguments: [
      "inspect \"$1\" >/dev/full", "inspect \"$1\" --json >/dev/full", "inspect \"$1\" >&-",
      "tokenize \"$1\" </etc/hostname >/dev/full",
      "generate \"$1\" --prompt 1+1= --max-tokens 2 >/dev/full",
    ])
  func lostResults(line: String) throws {
    #expect(try Executable.shell("\"$0\" " + line, model) == 5)
  }

  @Test("a pipe that nobody reads is exit 5, not a death by signal, and leaves nothing behind")
  func closedPipe() throws {
    let line = """
      "$0" retrofit "$1" --prelude 1 --core 1 --coda 1 -o "$2/out/p" --progress plain 2>&1 | true
      exit ${PIPESTATUS[0]}
      """
    try FileManager.default.createDirectory(
      atPath: folder.file("out"), withIntermediateDirectories: true)
    #expect(try Executable.shell(line, model, folder.path) == 5)
    #expect(try folderEntries(folder.file("out")) == ["p"])
  }

  @Test("a file at its limit is exit 5, not a death by signal")
  func fileSizeLimit() throws {
    let line = "ulimit -f 64; exec \"$0\" convert \"$1\" -o \"$2/m.safetensors\""
    #expect(try Executable.shell(line, model, folder.path) == 5)
    #expect(try folderEntries(folder.path).isEmpty)
  }

  @Test("few open files are exit 5 at once", arguments: 4...8)
  func fewDescriptors(count: Int) throws {
    let line = "ulimit -n \(count); exec \"$0\" convert \"$1\" -o \"$2/m.safetensors\""
    #expect(try Executable.shell(line, model, folder.path) == 5)
  }

  @Test("little address space is exit 7 at once, and no matter where nothing is computed")
  func littleMemory() throws {
    let limit = "ulimit -v 300000; exec timeout -s KILL 60 \"$0\" "
    #expect(try Executable.shell(limit + "inspect \"$1\"", model) == 0)
    let evaluation = "eval \"$1\" --data \"$2\" --windows 1 --sequence-length 16 --threads 8"
    #expect(try Executable.shell(limit + evaluation, model, text) == 7)
  }

  @Test("nothing is written into a package, whatever was asked")
  func insidePackage() throws {
    let package = try package()
    let before = try folderEntries(package)
    let packed = try outcome(Pack.self, [package, "-o", package + "/x.tar", "--json"])
    #expect(packed.code == 6)
    let error = packed.json?["errors"]?.array?.first
    #expect(error?["code"]?.string == "io.inside_package")
    let verified = try outcome(
      Verify.self, [package, "--report", package + "/config.json", "--force", "--threads", "1"])
    #expect(verified.code == 6)
    #expect(try folderEntries(package) == before)
    #expect(try outcome(Verify.self, [package, "--threads", "1"]).code == 0)
  }

  @Test("numbers that no run can mean are refused before anything is read")
  func bounds() throws {
    for most in ["1000000000", "\(Int.max)"] {
      #expect(throws: (any Error).self) {
        try Retrofit.parse(["m", "--prelude", "1", "-o", "p", "--mean-recurrence", most])
      }
      #expect(throws: (any Error).self) {
        try Generate.parse(["m", "--prompt", "x", "--recurrence", most])
      }
      #expect(throws: (any Error).self) {
        try Layers.parse(["m", "--data", "d", "--sequence-length", most])
      }
      for option in ["--seeds", "--batch-size", "--sequence-length", "--recurrence"] {
        #expect(throws: (any Error).self) { try Eval.parse(["m", "--data", "d", option, most]) }
      }
    }
    for setting in [
      "lora.rank", "recurrence.mean.start", "recurrence.mean.end", "recurrence.fixed",
      "batch_size", "micro_batch_size", "sequence_length",
    ] {
      let train = try outcome(
        Train.self,
        [model, "--data", text, "-o", folder.file("run"), "--set", "\(setting)=\(Int.max)"])
      #expect(train.code == 64, "\(setting)")
    }
  }

  @Test("a configuration that asks for endless recurrence is refused")
  func endlessRecurrence() throws {
    let package = try package()
    let config = package + "/config.json"
    let stated = try String(contentsOfFile: config, encoding: .utf8)
    let changed = stated.replacing(
      /"mean_recurrence": \d+/, with: "\"mean_recurrence\": 1000000000")
    #expect(changed != stated)
    try changed.write(toFile: config, atomically: false, encoding: .utf8)
    let done = try outcome(Generate.self, [package, "--prompt", "1", "--json"])
    #expect(done.code == 64)
    let error = done.json?["errors"]?.array?.first
    #expect(error?["code"]?.string == "model.recurrence_out_of_range")
  }

  @Test("control and direction characters of a file reach no terminal")
  func controlCharacters() throws {
    let path = folder.file("a\u{1B}[2J\u{7}\u{202E}\nb")
    let done = try outcome(Inspect.self, [path])
    #expect(done.code == 5)
    #expect(done.notes.contains("a\\u001B[2J\\u0007\\u202E\\u000Ab"))
    #expect(done.notes.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 })
    let document = try outcome(Inspect.self, [path, "--json"])
    #expect(!document.output.contains("\u{202E}"))
    let file = document.json?["errors"]?.array?.first?["file"]?.string
    #expect(file == path)
  }
}
