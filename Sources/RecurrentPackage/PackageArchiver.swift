package import Archives
import ByteIO
import Tar
import WeightWriting

extension RecurrentPackage {
  /// Writes the package as one file: an uncompressed tar that is read in place, or a compressed one
  /// for shipping. Digests are checked first; a damaged package is not packed.
  ///
  /// - Parameter progress: Called with the bytes read and written so far, and those there are.
  /// - Returns: Size of the file.
  package func pack(
    to destination: String, compression: Compression?, force: Bool,
    progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
  ) throws -> Int {
    try requireOutsidePackages(destination)
    let members = orderedMembers
    let count = WriteProgress(total: 2 * byteCount, report: progress)
    if let problem = try integrityProblems(count).first { throw problem }
    let end = 2 * TarHeader.block
    let size = members.reduce(end) {
      $0 + $1.header.count + $1.region.byteCount + TarHeader.padding($1.region.byteCount)
    }
    let staged = try StagedOutput(
      at: destination, isFolder: false, force: force, inputs: [path] + files.map(\.region.path),
      needed: compression == nil ? size : 0)
    if let compression {
      let output = try CompressedOutput(creating: staged.temporary, compression)
      for member in members {
        try output.write(member.header.rawSpan)
        try member.region.forEachTile {
          try output.write($0)
          count.advance($0.byteCount)
        }
        let padding = [UInt8](repeating: 0, count: TarHeader.padding(member.region.byteCount))
        try output.write(padding.rawSpan)
      }
      try output.write([UInt8](repeating: 0, count: end).rawSpan)
      try output.finish()
    } else {
      // Gaps between members and the end mark stay zeros, as the file is created.
      let output = try PositionedOutput(creating: staged.temporary, byteCount: size)
      var position = 0
      for member in members {
        try output.write(member.header.rawSpan, at: position)
        position += member.header.count
        try output.copy(member.region, to: position, count.advance)
        position += member.region.byteCount + TarHeader.padding(member.region.byteCount)
      }
      try output.finish()
    }
    for file in files { try file.region.requireUnchanged() }
    // What can fail comes before the output has its name.
    let written = try ByteRegion(path: staged.temporary).byteCount
    try staged.publish()
    return written
  }

  /// The manifest, then the other files in byte order.
  private var orderedMembers: [(header: [UInt8], region: ByteRegion)] {
    let first = files.filter { $0.name == Manifest.name }
    return (first + files.filter { $0.name != Manifest.name }).map {
      (TarHeader(name: $0.name, byteCount: $0.region.byteCount).blocks, $0.region)
    }
  }

  /// Writes the files of the archive at `source`, compressed or not, to a folder, after every rule
  /// and digest was checked.
  ///
  /// - Parameters:
  ///   - limit: Most bytes that a compressed archive may have decompressed; nil for a hundred times
  ///     its own, which weights never reach, or 64 MiB.
  ///   - progress: Called with the bytes read and written so far, and those there are.
  /// - Returns: The package as the archive has it, whose bytes the folder's are.
  package static func unpack(
    _ source: String, to destination: String, force: Bool, limit: Int? = nil,
    progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
  ) throws -> RecurrentPackage {
    let region = try ByteRegion(path: source)
    if try TarArchive.isArchive(region) {
      return try unpack(
        archive: region, from: source, to: destination, force: force,
        progress: progress)
    }
    let plain = try StagedOutput(
      at: destination + ".tar", isFolder: false, force: true, inputs: [source], needed: 0)
    let stream = try DecompressedStream(source)
    var output = try OutputFile(creating: plain.temporary)
    var buffer: [UInt8] = []
    let (hundredfold, overflow) = region.byteCount.multipliedReportingOverflow(by: 100)
    let most = limit ?? (overflow ? .max : max(64 << 20, hundredfold))
    while try stream.read(1 << 20, into: &buffer) {
      // What is no package is not decompressed to its end.
      if output.byteCount == 0 { try TarArchive.requireStart(buffer, path: source) }
      guard stream.position <= most else {
        throw PackageError(.decompressesTooFar(limit: most), path: source)
      }
      try output.write(buffer.rawSpan)
      buffer.removeAll(keepingCapacity: true)
    }
    _ = try output.finish()
    return try unpack(
      archive: ByteRegion(path: plain.temporary), from: source, to: destination, force: force,
      progress: progress)
  }

  private static func unpack(
    archive: ByteRegion, from source: String, to destination: String, force: Bool,
    progress: @escaping @Sendable (Int, Int) -> Void
  ) throws -> RecurrentPackage {
    let package = try RecurrentPackage(archive: archive)
    let count = WriteProgress(total: 2 * package.byteCount, report: progress)
    if let problem = try package.integrityProblems(count).first { throw problem }
    let staged = try StagedOutput(
      at: destination, isFolder: true, force: force, inputs: [source],
      needed: package.byteCount)
    for file in package.files {
      try makeFolders(above: file.name, in: staged.temporary)
      let output = try PositionedOutput(
        creating: staged.path(file.name), byteCount: file.region.byteCount)
      try output.copy(file.region, to: 0, count.advance)
      try output.finish()
    }
    try archive.requireUnchanged()
    try staged.publish()
    return package
  }

  private static func makeFolders(above name: String, in root: String) throws {
    let parts = name.split(separator: "/").dropLast()
    for count in 0..<parts.count {
      let folder = root + "/" + parts.prefix(count + 1).joined(separator: "/")
      if try linkKind(folder) == nil { try createFolder(folder) }
    }
  }
}
