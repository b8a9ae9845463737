import Foundation

/// The program under test, beside the test bundle.
package enum Executable {
  /// Path of `ckpt`; nil when it is not where the package manager puts it.
  package static let path: String? = {
    guard
      let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    else { return nil }
    let path = URL(filePath: own).deletingLastPathComponent().appending(path: "ckpt").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }()

  /// Runs a line of bash, with job control and the program's path as `$0`; its exit code.
  package static func shell(_ line: String, _ arguments: String...) throws -> Int32 {
    try shell(line, arguments: arguments)
  }

  /// Runs a line of bash, with job control and the program's path as `$0`; its exit code.
  package static func shell(_ line: String, arguments: [String]) throws -> Int32 {
    guard let path else { throw CocoaError(.fileNoSuchFile) }
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = ["-m", "-c", line, path] + arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
