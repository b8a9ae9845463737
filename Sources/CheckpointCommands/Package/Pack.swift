import Archives
import ArgumentParser
import ByteIO
import RecurrentPackage

/// `ckpt pack`: one file from a package folder.
struct Pack: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Pack a package into one file.",
    discussion: """
      The file is an uncompressed tar, which every command reads in place; with --compress it is \
      smaller for shipping, but has to be unpacked before it is used. Every digest is checked first.

      Example:
        ckpt pack TinyLlama-4-8-4 -o TinyLlama-4-8-4.tar
        ckpt pack TinyLlama-4-8-4 -o TinyLlama-4-8-4.tar.zst --compress zstd
      """)

  @Argument(help: "Package folder, or its tar.", completion: .file()) var package: String
  @Option(name: [.short, .customLong("output")], help: "File to write.", completion: .file())
  var outputPath: String
  @Option(help: "Compress with gzip or zstd.") var compress: Compression?
  @OptionGroup var replacement: ForceOption
  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> ArchiveReport<Packing> {
    let opened = try RecurrentPackage.open(package)
    let size = try ByteProgress(console, output, "pack").following { progress in
      try opened.pack(
        to: outputPath, compression: compress, force: replacement.force, progress: progress)
    }
    return ArchiveReport(
      output: outputPath, byteCount: size, fileCount: opened.files.count,
      root: opened.manifest.root, isCompressed: compress != nil)
  }
}

enum Packing: ArchiveDirection {
  static let command = "pack"
  static let done = "Packed"
}

extension Compression: ExpressibleByArgument {}
