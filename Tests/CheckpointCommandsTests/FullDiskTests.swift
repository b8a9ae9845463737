import ByteIO
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

/// Where no disk can be mounted these are skipped; `CommandFaultTests` has files at their limit.
@Suite(
  "full disks",
  .enabled(if: SmallDisk.isAvailable, "needs the right to mount a disk: root, or user namespaces"))
struct FullDiskTests {
  let folder = TemporaryFolder()
  private var disk: String { folder.file("disk") }
  private var answer: String { folder.file("answer.json") }

  /// The package or model that `command` reads, of some 20 MB, and an empty folder for the disk.
  private func input(_ command: WritingCommand) throws -> String {
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    return try command.makeInput(in: folder)
  }

  /// A command's line with its input as `$2` and its output as `$3`, what it says in `$4`.
  private func line(_ command: WritingCommand) -> String {
    command.line.replacing("\"$2\"", with: "\"$3\"").replacing("\"$1\"", with: "\"$2\"")
      + " --json --quiet >\"$4\""
  }

  /// Makes the old state, of the kind that `command` writes; and what shows that it is whole.
  private func oldState(_ command: WritingCommand) -> (make: String, check: String) {
    let isFile = command.name.hasPrefix("pack")
    let file = isFile ? "\"$3\"" : "\"$3\"/old"
    return (
      "rm -rf \"$3\"; " + (isFile ? "" : "mkdir \"$3\"; ") + "echo old >\(file); ",
      "[ \"$(ls -A \"$1\")\" = o ] || exit 98; [ \"$(cat \(file))\" = old ] || exit 97; "
    )
  }

  private func expectNoSpace() throws -> String {
    let answer = try JSONValue(parsing: ByteRegion(path: answer).contents(limit: 1 << 20))
    #expect(answer["ok"]?.bool == false)
    let error = try #require(answer["errors"]?.array?.first)
    #expect(error["code"]?.string == "io.no_space")
    #expect(error["file"]?.string?.hasPrefix(disk) == true)
    #expect(error["hint"]?.string != nil)
    return try #require(error["message"]?.string)
  }

  @Test(
    "too little space is told before anything is written",
    arguments: WritingCommand.all.filter { !$0.name.hasSuffix("--compress") })
  func checkedFirst(command: WritingCommand) throws {
    let (make, check) = oldState(command)
    let code = try SmallDisk.shell(
      at: disk, megabytes: 4,
      make + line(command) + "; code=$?; " + check + "exit $code",
      input(command), disk + "/o", answer)
    #expect(code == 5)
    #expect(try expectNoSpace().hasPrefix("needs "))
  }

  /// The command is held as soon as its output has begun, and the disk is filled under it.
  @Test("a disk that fills up meanwhile leaves the old state", arguments: WritingCommand.all)
  func fillsUp(command: WritingCommand) throws {
    let (make, check) = oldState(command)
    let code = try SmallDisk.shell(
      at: disk, megabytes: 80,
      """
      for attempt in 1 2 3 4 5 6 7 8; do
        \(make)
        \(line(command)) &
        until compgen -G "$1/.o.ckpt-*.partial/*" >/dev/null || ! kill -0 $!; do :; done
        kill -STOP $! && head -c 100M /dev/zero >"$1/fill"
        kill -CONT $!; wait $!; code=$?; rm -f "$1/fill"
        [ $code = 0 ] || break
      done
      \(check)exit $code
      """,
      input(command), disk + "/o", answer)
    #expect(code == 5)
    #expect(try !expectNoSpace().hasPrefix("needs "))
  }

  @Test("a training run on a disk that fills up keeps its checkpoints, and goes on from them")
  func training() throws {
    let package = folder.file("package")
    let made = try outcome(
      Retrofit.self,
      [
        Fixtures.path("tiny-arithmetic"), "--prelude", "1", "--core", "1", "--coda", "1", "-o",
        package,
      ])
    #expect(made.code == 0)
    let text = try ByteRegion(path: Fixtures.path("text/heldout.txt")).bytes(0..<4000)
    try folder.write(text, to: "text.txt")
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    let train =
      "\"$0\" train \"$2\" --data \"$4\" --cache \"$5\" --steps 12 --batch-size 2"
      + " --sequence-length 16 --mean-recurrence 2 --checkpoint-every 1 --eval-every 0"
      + " --threads 1 --json --quiet"
    let code = try SmallDisk.shell(
      at: disk, megabytes: 80,
      """
      \(train) -o "$6" >/dev/null || exit 96
      \(train) -o "$1/run" >"$3" &
      until [ -e "$1/run/checkpoints/step-3" ] || ! kill -0 $!; do :; done
      kill -STOP $! && head -c 100M /dev/zero >"$1/fill"
      kill -CONT $!; wait $!; code=$?; rm "$1/fill"
      ls -A "$1/run/checkpoints" | grep partial && exit 98
      for checkpoint in "$1"/run/checkpoints/step-*; do
        "$0" verify "$checkpoint/package" || exit 97
      done
      [ ! -e "$1/run/package" ] || exit 95
      \(train) -o "$1/run" --resume || exit 94
      cmp "$1/run/package/model.safetensors" "$6/package/model.safetensors" || exit 93
      exit $code
      """,
      package, answer, folder.file("text.txt"), folder.file("cache"), folder.file("whole"))
    #expect(code == 5)
    _ = try expectNoSpace()
  }
}
