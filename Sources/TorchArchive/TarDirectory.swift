import ByteIO
import Tar

/// The members of a small tar archive by name: regular files with plain names, nothing else.
struct TarDirectory {
  private static let memberLimit = 64
  private var members: [String: ByteRegion] = [:]

  init(_ region: ByteRegion) throws(TorchError) {
    var reader = TarReader(region)
    func fail(_ what: String) -> TorchError {
      TorchError(.tar(what), in: region, at: reader.position)
    }
    while let (name, content) = try Self.next(&reader, region) {
      guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), name != ".." else {
        throw fail("the member \(name) lies in a folder")
      }
      guard members.count < Self.memberLimit, members[name] == nil else {
        throw fail("the member \(name) is there twice, or one too many")
      }
      members[name] = content
    }
  }

  subscript(name: String) -> ByteRegion? { members[name] }

  private static func next(
    _ reader: inout TarReader, _ region: ByteRegion
  ) throws(TorchError) -> (name: String, region: ByteRegion)? {
    do { return try reader.next() } catch {
      switch error.cause {
      case .format(let problem):
        throw TorchError(.tar(problem.message), in: region, at: error.position)
      case .file(let failure): throw TorchError(.file(failure), path: region.path)
      }
    }
  }
}
