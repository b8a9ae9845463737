import ByteIO
import JSON
import Reports

/// Which way a package went: into one file, or out of it.
protocol ArchiveDirection {
  /// The command's name.
  static var command: String { get }
  /// What was done, at the start of a sentence.
  static var done: String { get }
}

/// What `ckpt pack` or `ckpt unpack` did.
struct ArchiveReport<Direction: ArchiveDirection>: Report {
  static var command: String { Direction.command }

  var next: String? {
    isCompressed ? NextCommand.unpack(output) : NextCommand.verify(output)
  }

  var output: String
  var byteCount: Int
  var fileCount: Int
  var root: Digest
  /// Whether other commands do not read the output before it is unpacked.
  var isCompressed = false

  var json: JSONObject {
    [
      "output": .string(output), "bytes": JSONValue(byteCount), "files": JSONValue(fileCount),
      "root": .string(root.description),
    ]
  }

  var text: String {
    "\(Direction.done) \(fileCount) files into \(output), \(byteSize(byteCount))\n"
  }
}
