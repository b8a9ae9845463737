import Glibc
package import SystemPackage

/// What the system says of a file.
package struct FileStatus: Sendable {
  /// Device and inode: two paths with the same identity are one file.
  package struct Identity: Hashable, Sendable {
    var device: UInt
    var inode: UInt
  }

  /// When the contents changed last.
  package struct Time: Equatable, Sendable {
    var seconds: Int
    var nanoseconds: Int
  }

  package var isRegular: Bool
  package var isFolder: Bool
  package var byteCount: Int
  package var identity: Identity
  package var modified: Time

  init(_ status: stat) {
    isRegular = status.st_mode & S_IFMT == S_IFREG
    isFolder = status.st_mode & S_IFMT == S_IFDIR
    byteCount = Int(status.st_size)
    identity = Identity(device: UInt(status.st_dev), inode: UInt(status.st_ino))
    modified = Time(seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
  }

  /// What is at `path`; nil when nothing is there, and only then.
  package static func of(_ path: String, followingLinks: Bool = true) throws(Errno) -> FileStatus? {
    var status = stat()
    do {
      // SAFETY: the call writes the one structure it is given.
      try perform {
        unsafe followingLinks
          ? stat(systemPath(path), &status) : lstat(systemPath(path), &status)
      }
      return FileStatus(status)
    } catch .noSuchFileOrDirectory { return nil }
  }
}
