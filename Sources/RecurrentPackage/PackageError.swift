package import ByteIO
package import Tar
import Tensors

/// Why a package cannot be written, read, or trusted. Rules: `formats/recurrent-package.md`.
package struct PackageError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    // Writing
    // The folder and its manifest
    /// RP-1: there is no `manifest.json`.
    case noManifest
    /// RP-2: the manifest is not an object of the known schema, or a member has another type.
    case malformedManifest(member: String)
    /// RP-2: the manifest's schema is not known.
    case unknownSchema(String)
    /// RP-3: a path in the manifest, or of a member, is not a plain relative one.
    case unsafePath(String)
    /// RP-4: two paths are equal, or equal without regard to case.
    case pathTwice(String, String)
    /// RP-5: a file that the manifest lists is not there.
    case missingFile
    /// RP-5: a file is there that the manifest does not list.
    case unlistedFile
    /// RP-5: something in the package is neither a file nor a folder.
    case notRegular
    /// RP-6: a file has another size than the manifest says.
    case wrongSize(found: Int, wanted: Int)
    /// RP-6: a file's bytes are not those that were written.
    case wrongDigest(found: Digest, wanted: Digest)
    /// RP-7: the root digest does not follow from the files' digests.
    case wrongRoot(found: Digest, wanted: Digest)
    /// RP-8: the manifest's table of tensors and the weight files disagree.
    case wrongTensorTable(String)
    /// RP-8: a tensor's bytes are not those that were written.
    case wrongTensorDigest
    /// RP-9: a copied tensor differs from the span of the source it was copied from.
    case differsFromSource(String)
    // The archive
    case archive(TarProblem)
    /// RP-26: the first member of an archive is not the manifest.
    case manifestNotFirst(String)
    /// A compressed archive has more bytes decompressed than it may.
    case decompressesTooFar(limit: Int)
  }

  package var problem: Problem
  package var path: String?
  package var position: Int?
  package var tensor: String?

  package init(
    _ problem: Problem, path: String? = nil, at position: Int? = nil, tensor: String? = nil
  ) {
    self.problem = problem
    self.path = path
    self.position = position
    self.tensor = tensor
  }

  package var file: String? { path }
  package var offset: Int? { position }

  package var code: String {
    switch problem {
    case .noManifest: "package.no_manifest"
    case .malformedManifest: "package.malformed_manifest"
    case .unknownSchema: "package.unknown_schema"
    case .unsafePath: "package.unsafe_path"
    case .pathTwice: "package.path_twice"
    case .missingFile: "package.missing_file"
    case .unlistedFile: "package.unlisted_file"
    case .notRegular: "package.not_regular"
    case .wrongSize: "package.wrong_size"
    case .wrongDigest: "package.wrong_digest"
    case .wrongRoot: "package.wrong_root"
    case .wrongTensorTable: "package.wrong_tensor_table"
    case .wrongTensorDigest: "package.wrong_tensor_digest"
    case .differsFromSource: "package.differs_from_source"
    case .archive(let problem): problem.code
    case .manifestNotFirst: "tar.manifest_not_first"
    case .decompressesTooFar: "package.decompresses_too_far"
    }
  }

  package var kind: FailureKind {
    switch problem {
    case .wrongSize, .wrongDigest, .wrongRoot, .wrongTensorDigest, .differsFromSource,
      .missingFile, .unlistedFile, .wrongTensorTable:
      .checkFailed
    case .unknownSchema: .unsupported
    case .archive(.tooManyMembers), .decompressesTooFar: .resourceLimit
    default: .malformed
    }
  }

  package var message: String {
    switch problem {
    case .noManifest: "no manifest.json, so this is not a package"
    case .malformedManifest(let member): "manifest.json has no valid member \(member)"
    case .unknownSchema(let schema):
      "the manifest's schema is \(schema), but must be \(Manifest.schema)"
    case .unsafePath(let path): "\"\(path)\" is not a plain relative path"
    case .pathTwice(let first, let second):
      "\"\(first)\" and \"\(second)\" are one file on some systems"
    case .missingFile: "listed in the manifest, but not there"
    case .unlistedFile: "there, but not listed in the manifest"
    case .decompressesTooFar(let limit): "it unpacks to more than \(limit) bytes"
    case .notRegular: "neither a regular file nor a folder"
    case .wrongSize(let found, let wanted): "\(found) bytes, but the manifest says \(wanted)"
    case .wrongDigest(let found, let wanted):
      "SHA-256 \(found), but the manifest says \(wanted)"
    case .wrongRoot(let found, let wanted):
      "the files' root digest is \(found), but the manifest says \(wanted)"
    case .wrongTensorTable(let reason): reason
    case .wrongTensorDigest: "the bytes are not those that the manifest's digest was made from"
    case .differsFromSource(let reason): "not the source's bytes: \(reason)"
    case .archive(let problem): problem.message
    case .manifestNotFirst(let name): "the first member is \(name), but must be manifest.json"
    }
  }

  package var hint: String? {
    switch problem {
    case .noManifest: "make a package with ckpt retrofit"
    case .decompressesTooFar: "if you trust the file, raise --max-size"
    case .wrongSize, .wrongDigest, .wrongTensorDigest, .missingFile:
      "fetch the package again from where it came from"
    default: nil
    }
  }
}
