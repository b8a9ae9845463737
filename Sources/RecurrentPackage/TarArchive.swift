import ByteIO
import Tar

/// The members of an uncompressed tar archive, in place: each is a region of the archive.
///
/// Only what a package can be made of is read (`formats/recurrent-package.md`, RP-20 to RP-28).
struct TarArchive {
  /// In the order of the archive; the first is the manifest.
  let members: [(name: String, region: ByteRegion)]

  /// Most members that are read.
  static let memberLimit = 100_000

  init(_ region: ByteRegion, memberLimit: Int = Self.memberLimit) throws {
    var reader = TarReader(region)
    var members: [(name: String, region: ByteRegion)] = []
    while let member = try Self.next(&reader, path: region.path) {
      guard members.count < memberLimit else {
        throw PackageError(
          .archive(.tooManyMembers(limit: memberLimit)), path: region.path, at: reader.position)
      }
      if members.isEmpty, member.name != Manifest.name {
        throw PackageError(.manifestNotFirst(member.name), path: region.path, at: 0)
      }
      members.append(member)
    }
    guard !members.isEmpty else { throw PackageError(.noManifest, path: region.path) }
    try PackagePath.check(members.map(\.name), in: region.path)
    self.members = members
  }

  private static func next(
    _ reader: inout TarReader, path: String
  ) throws -> (name: String, region: ByteRegion)? {
    do { return try reader.next() } catch {
      switch error.cause {
      case .format(let problem):
        throw PackageError(.archive(problem), path: path, at: error.position)
      case .file(let failure): throw failure
      }
    }
  }

  /// Throws what is wrong with bytes that do not begin as a tar archive.
  static func requireStart(_ bytes: [UInt8], path: String) throws {
    if bytes.count >= 262, bytes[257..<262].elementsEqual("ustar".utf8) { return }
    _ = try TarArchive(ByteRegion(bytes, path: path))
  }

  /// Whether a file starts as an archive of ours does.
  static func isArchive(_ region: ByteRegion) throws(FileError) -> Bool {
    guard region.byteCount >= 512 else { return false }
    let start = try region.bytes(0..<512)
    return start[257..<262].elementsEqual("ustar".utf8)
      && start[0..<100].elementsEqual(
        Array(Manifest.name.utf8) + [UInt8](repeating: 0, count: 100 - Manifest.name.utf8.count))
  }
}
