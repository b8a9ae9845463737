import ArgumentParser
import ByteIO
import RecurrentPackage

/// `ckpt unpack`: a package folder from one file.
struct Unpack: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Unpack a package's tar into a folder.",
    discussion: """
      Compressed files are recognised by their content. Nothing appears under the output's name until \
      every rule of the archive and every digest has been checked.

      Example:
        ckpt unpack TinyLlama-4-8-4.tar.zst -o TinyLlama-4-8-4
      """)

  @Argument(help: "Tar of a package, plain or compressed.", completion: .file()) var archive: String
  @Option(
    name: [.short, .customLong("output")], help: "Package folder to write.", completion: .file())
  var outputPath: String
  @Option(
    help: """
      Largest size that a compressed file may unpack to, such as 20GB; a hundred times its own size by \
      default.
      """)
  var maxSize: ByteCountArgument?
  @OptionGroup var replacement: ForceOption
  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> ArchiveReport<Unpacking> {
    let package = try ByteProgress(console, output, "unpack").following { progress in
      try RecurrentPackage.unpack(
        archive, to: outputPath, force: replacement.force, limit: maxSize?.byteCount,
        progress: progress)
    }
    return ArchiveReport(
      output: outputPath, byteCount: package.byteCount,
      fileCount: package.files.count, root: package.manifest.root)
  }
}

enum Unpacking: ArchiveDirection {
  static let command = "unpack"
  static let done = "Unpacked"
}
