import ArgumentParser
import ByteIO
import JSON
import RecurrentPackage

/// `ckpt unpack`: a package folder from one file.
struct Unpack: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Make a package folder of its tar.",
    discussion: """
      Compressed files are told by their content. Nothing is written under the output's name before \
      every rule of the archive and every digest was checked.

      Example:
        ckpt unpack TinyLlama-4-8-4.tar.zst -o TinyLlama-4-8-4
      """)

  @Argument(help: "Tar of a package, plain or compressed.") var archive: String
  @Option(name: [.short, .customLong("output")], help: "Package folder to write.")
  var outputPath: String
  @OptionGroup var replacement: ForceOption
  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> UnpackReport {
    let package = try RecurrentPackage.unpack(
      archive, to: outputPath, force: replacement.force)
    return UnpackReport(
      output: outputPath, byteCount: package.files.reduce(0) { $0 + $1.region.byteCount },
      fileCount: package.files.count, root: package.manifest.root)
  }
}

/// What was unpacked.
struct UnpackReport: Report {
  static let command = "unpack"

  var output: String
  var byteCount: Int
  var fileCount: Int
  var root: Digest

  var json: JSONObject {
    [
      "output": .string(output), "bytes": JSONValue(byteCount), "files": JSONValue(fileCount),
      "root": .string(root.description),
    ]
  }

  var text: String { "Unpacked \(fileCount) files into \(output), \(byteSize(byteCount))\n" }
}
