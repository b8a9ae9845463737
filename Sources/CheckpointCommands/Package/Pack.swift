import Archives
import ArgumentParser
import ByteIO
import JSON
import RecurrentPackage

/// `ckpt pack`: one file from a package folder.
struct Pack: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Make one file of a package.",
    discussion: """
      The file is an uncompressed tar, which every command reads in place; with --compress it is \
      smaller, for shipping, and must be unpacked. Every digest is checked first.

      Example:
        ckpt pack TinyLlama-4-8-4 -o TinyLlama-4-8-4.tar
        ckpt pack TinyLlama-4-8-4 -o TinyLlama-4-8-4.tar.zst --compress zstd
      """)

  @Argument(help: "Package folder, or its tar.") var package: String
  @Option(name: [.short, .customLong("output")], help: "File to write.") var outputPath: String
  @Option(help: "Compress with gzip or zstd.") var compress: Compression?
  @OptionGroup var replacement: ForceOption
  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> PackReport {
    let opened = try RecurrentPackage.open(package)
    let size = try opened.pack(
      to: outputPath, compression: compress, force: replacement.force)
    return PackReport(
      output: outputPath, byteCount: size, fileCount: opened.files.count,
      root: opened.manifest.root)
  }
}

/// What was packed.
struct PackReport: Report {
  static let command = "pack"

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

  var text: String { "Packed \(fileCount) files into \(output), \(byteSize(byteCount))\n" }
}

extension Compression: ExpressibleByArgument {}
