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
/// - Parameter environment: Set in addition; nil removes a variable.
/// - Throws: `BenchmarkFailure` when it cannot be started or ends with another status than `status`.
func measure(
  _ command: [String], environment: [String: String?] = [:], input: String = "/dev/null",
  output: String = "/dev/null", status expected: Int32 = 0
) throws -> Usage {
  var variables = ProcessInfo.processInfo.environment
  for (name, value) in environment { variables[name] = value }
  let arguments = command.map { strdup($0) } + [nil]
  let settings = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
  defer { for text in arguments + settings { free(text) } }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
  let clock = ContinuousClock()
  let start = clock.now
  var child = pid_t()
  let failure = posix_spawnp(&child, command[0], &actions, nil, arguments, settings)
  guard failure == 0 else {
    throw BenchmarkFailure("\(command[0]): \(String(cString: strerror(failure)))")
  }
  var status: Int32 = 0
  var usage = rusage()
  while wait4(child, &status, 0, &usage) < 0 && errno == EINTR {}
  let wall = (clock.now - start) / .seconds(1)
  let code = status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
  guard code == expected else {
    throw BenchmarkFailure("status \(code) of: \(command.joined(separator: " "))")
  }
  return Usage(
    wall: wall, cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
    peak: Int(usage.ru_maxrss) << 10)
}

private func seconds(_ time: timeval) -> Double {
  Double(time.tv_sec) + Double(time.tv_usec) / 1e6
}
