import ByteIO
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

/// Runs of the built program that are killed at chosen moments. They take seconds, because nothing
/// short of a process that dies shows what it leaves behind.
@Suite("killed runs", .serialized)
struct KilledRunTests {
  private let folder = TemporaryFolder()

  /// The program beside the tests.
  private static let program = URL(filePath: CommandLine.arguments[0])
    .deletingLastPathComponent().appending(path: "ckpt")

  private static let steps = 6

  /// Makes the package, and a short text.
  private func prepare() throws {
    let text = try ByteRegion(path: Fixtures.path("text/heldout.txt")).bytes(0..<4000)
    try folder.write(text, to: "text.txt")
    let path = folder.file("package")
    let done = try outcome(
      Retrofit.self,
      [
        Fixtures.path("tiny-arithmetic"), "--prelude", "1", "--core", "1", "--coda", "1", "-o",
        path,
      ])
    #expect(done.code == 0)
  }

  private func start(_ run: String, _ more: [String] = []) throws -> Process {
    let process = Process()
    process.executableURL = Self.program
    process.arguments =
      [
        "train", folder.file("package"), "-o", folder.file(run), "--cache", folder.file("cache"),
        "--data", folder.file("text.txt"), "--steps", "\(Self.steps)", "--batch-size", "2",
        "--sequence-length", "16", "--mean-recurrence", "2", "--eval-every", "3",
        "--eval-recurrence", "1", "--set", "evaluation.rows=2", "--checkpoint-every", "1",
        "--threads", "1", "--quiet",
      ] + more
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
  }

  /// The moments at which a run is killed.
  enum Moment: CaseIterable {
    case beforeFirstCheckpoint
    case whileWritingCheckpoint
    case betweenCheckpoints
    case whileWritingResult
  }

  private func isNow(_ moment: Moment, in run: RunFiles, after step: Int) -> Bool {
    switch moment {
    case .beforeFirstCheckpoint: run.steps == 0 && run.hasLog
    case .whileWritingCheckpoint: run.partial != nil && run.steps > step
    case .betweenCheckpoints: run.partial == nil && run.steps > step
    case .whileWritingResult: run.isWritingResult
    }
  }

  private func kill(_ process: Process, at moment: Moment, in run: RunFiles, after step: Int) {
    while process.isRunning, !isNow(moment, in: run, after: step) { usleep(200) }
    _ = Glibc.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  @Test("a run killed by SIGKILL at any moment goes on with the same numbers, bit for bit")
  func killed() throws {
    try prepare()
    let whole = try start("whole")
    whole.waitUntilExit()
    #expect(whole.terminationStatus == 0)
    let run = RunFiles(folder.file("part"))
    var step = 0
    for (i, moment) in Moment.allCases.enumerated() {
      kill(try start("part", i == 0 ? [] : ["--resume"]), at: moment, in: run, after: step)
      step = run.steps
      // Whatever is under its final name is whole.
      for checkpoint in run.checkpoints {
        let path = checkpoint + "/trainer_state.safetensors"
        #expect(try outcome(Inspect.self, [path, "--check"]).code == 0)
      }
    }
    let last = try start("part", ["--resume"])
    last.waitUntilExit()
    #expect(last.terminationStatus == 0)
    let (a, b) = (RunFiles(folder.file("whole")), run)
    #expect(try a.numbers("metrics.jsonl") == b.numbers("metrics.jsonl"))
    #expect(try a.numbers("evaluations.jsonl") == b.numbers("evaluations.jsonl"))
    #expect(try a.numbers("metrics.jsonl").count == Self.steps)
    let weights = "/package/model.safetensors"
    #expect(FileManager.default.contentsEqual(atPath: a.path + weights, andPath: b.path + weights))
    #expect(b.partial == nil)
  }

  @Test(
    "SIGTERM and SIGINT end a run after its step, with a checkpoint",
    arguments: [SIGTERM, SIGINT])
  func stopped(signal: Int32) throws {
    try prepare()
    let run = RunFiles(folder.file("run"))
    let process = try start("run", ["--set", "checkpoints.every=0"])
    while process.isRunning, run.steps < 2 { usleep(200) }
    _ = Glibc.kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationStatus == 130)
    #expect(run.checkpoints.count == 1)
    #expect(try pathKind(run.path + "/package") == nil)
  }
}

/// A run folder from outside, whatever state it is in.
private struct RunFiles {
  let path: String

  init(_ path: String) { self.path = path }

  private func names(_ folder: String) -> [String] { (try? folderEntries(folder)) ?? [] }

  var checkpoints: [String] {
    names(path + "/checkpoints").filter { $0.hasPrefix("step-") }.map {
      path + "/checkpoints/" + $0
    }
  }

  var partial: String? { names(path + "/checkpoints").first { $0.hasSuffix(".partial") } }
  var isWritingResult: Bool { names(path).contains { $0.hasPrefix(".package") } }
  var hasLog: Bool { FileManager.default.fileExists(atPath: path + "/metrics.jsonl") }

  private func lines(_ log: String) -> [Substring] {
    let text = (try? String(contentsOfFile: path + "/" + log, encoding: .utf8)) ?? ""
    return text.split(separator: "\n")
  }

  /// Steps that are logged.
  var steps: Int { lines("metrics.jsonl").count }

  /// The records of a log without what the clock says.
  func numbers(_ log: String) throws -> [JSONObject] {
    try lines(log).map { line in
      var record = try #require(try JSONValue(parsing: Array(line.utf8)).object)
      record["seconds"] = nil
      record["memory_bytes"] = nil
      record["tokens_per_second"] = nil
      return record
    }
  }
}
