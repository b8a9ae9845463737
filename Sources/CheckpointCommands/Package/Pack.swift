import Archives
import ArgumentParser
import ByteIO
import RecurrentPackage

/// `ckpt pack`: one file from a package folder.
struct Pack: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Pack a package into one file.",
    discussion: """
      The file is an uncompressed tar, which every command reads in place. With --compress, or a name \
      that ends in .gz, .tgz or .zst, it is smaller for shipping, but has to be unpacked before it is \
      used. Every digest is checked first.

      Example:
        ckpt pack TinyLlama-4-8-4 -o TinyLlama-4-8-4.tar
        ckpt pack TinyLlama-4-8-4 -o TinyLlama-4-8-4.tar.zst
      """)

  @Argument(help: "Package folder, or its tar.", completion: .file()) var package: String
  @Option(name: [.short, .customLong("output")], help: "File to write.", completion: .file())
  var outputPath: String
  @Option(help: "Compress with gzip or zstd; by default the output's extension decides.")
  var compress: Compression?
  @OptionGroup var replacement: ForceOption
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard let compress, let named = Compression(ending: outputPath), named != compress else {
      return
    }
    throw ValidationError(
      "\(outputPath) is the name of a \(named.rawValue) file, and --compress says "
        + "\(compress.rawValue).")
  }

  func perform(_ console: Console) throws -> ArchiveReport<Packing> {
    let compress = compress ?? Compression(ending: outputPath)
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

extension Compression: ExpressibleByArgument {
  /// What a file's name promises; nil for a name that promises none.
  fileprivate init?(ending path: String) {
    let name = path.lowercased()
    if name.hasSuffix(".zst") {
      self = .zstd
    } else if name.hasSuffix(".gz") || name.hasSuffix(".tgz") {
      self = .gzip
    } else {
      return nil
    }
  }
}
