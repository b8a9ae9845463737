import Foundation

/// What the system says of a finished process.
struct Usage {
  /// From start to end, in seconds.
  let wall: Double
  /// Processor time of all its threads, in seconds.
  let cpu: Double
  /// Largest resident set, in bytes.
  let peak: Int
}

/// Runs `command` to its end with its output thrown away, or written to `output`, and with nothing to
/// read, or `input`.
///
/// It is the child of a small process, `Spawn`: a process's peak includes what its parent had.
///
/// - Parameter environment: Set in addition; nil removes a variable.
/// - Throws: `BenchmarkFailure` when it cannot be started or ends with another status than `status`.
func measure(
  _ command: [String], environment: [String: String?] = [:], input: String = "/dev/null",
  output: String = "/dev/null", status expected: Int32 = 0
) throws -> Usage {
  let program =
    Bundle.main.executableURL?.deletingLastPathComponent().appending(path: "Spawn").path ?? "Spawn"
  let answer = FileManager.default.temporaryDirectory
    .appending(path: "ckpt-bench-\(ProcessInfo.processInfo.processIdentifier)").path
  defer { try? FileManager.default.removeItem(atPath: answer) }
  let process = Process()
  process.executableURL = URL(filePath: program)
  process.arguments = [answer] + command
  var variables = ProcessInfo.processInfo.environment
  for (name, value) in environment { variables[name] = value }
  process.environment = variables
  _ = FileManager.default.createFile(atPath: output, contents: nil)
  process.standardInput = FileHandle(forReadingAtPath: input)
  process.standardOutput = FileHandle(forWritingAtPath: output)
  try process.run()
  process.waitUntilExit()
  let text = (try? String(contentsOfFile: answer, encoding: .utf8)) ?? ""
  let fields = text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
  guard process.terminationStatus == 0, fields.count == 4 else {
    throw BenchmarkFailure("\(program) ended with status \(process.terminationStatus)")
  }
  guard fields[0] == Double(expected) else {
    throw BenchmarkFailure("status \(Int(fields[0])) of: \(command.joined(separator: " "))")
  }
  return Usage(wall: fields[1], cpu: fields[2], peak: Int(fields[3]) << 10)
}
