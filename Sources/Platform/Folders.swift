import CPlatform
import Glibc
package import SystemPackage

/// Names in the folder `path`, in the system's order, without `.` and `..`.
package func entries(ofFolder path: String) throws(Errno) -> [String] {
  guard let folder = unsafe opendir(systemPath(path)) else { throw Errno(rawValue: errno) }
  defer { unsafe closedir(folder) }
  var names: [String] = []
  while true {
    // The end and a failure look alike but for this.
    errno = 0
    guard let entry = unsafe readdir(folder) else {
      if errno != 0 { throw Errno(rawValue: errno) }
      return names
    }
    let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
      unsafe PathText.string(
        at: UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self))
    }
    if name != ".", name != ".." { names.append(name) }
  }
}

/// Creates the folder `path`, which must not exist; the one it is in must.
package func makeFolder(_ path: String) throws(Errno) {
  try perform { unsafe mkdir(systemPath(path), 0o755) }
}

package func removeFile(_ path: String) throws(Errno) {
  try perform { unsafe unlink(systemPath(path)) }
}

/// Removes the folder `path`, which must be empty.
package func removeFolder(_ path: String) throws(Errno) {
  try perform { unsafe rmdir(systemPath(path)) }
}

/// Gives `first` the name `second`, under which nothing must be.
package func moveToFree(_ first: String, _ second: String) throws(Errno) {
  do { try perform { unsafe ck_move_to_free(systemPath(first), systemPath(second)) } } catch {
    switch error {
    case .invalidArgument, .noFunction, .notSupported:
      // A file system that cannot do both in one step, such as NFS.
      if try FileStatus.of(second, followingLinks: false) != nil { throw .fileExists }
      try perform { unsafe rename(systemPath(first), systemPath(second)) }
    default: throw error
    }
  }
}

/// Swaps what two names refer to, in one step.
package func exchange(_ first: String, _ second: String) throws(Errno) {
  try perform { unsafe ck_exchange(systemPath(first), systemPath(second)) }
}

/// The absolute path of what is at `path`, with all links followed; nil when nothing is there.
package func realPath(_ path: String) throws(Errno) -> String? {
  // SAFETY: `realpath` allocates the result, which is copied and freed here.
  guard let resolved = unsafe realpath(systemPath(path), nil) else {
    if errno == ENOENT { return nil }
    throw Errno(rawValue: errno)
  }
  defer { unsafe free(resolved) }
  return unsafe PathText.string(at: resolved)
}

/// Bytes that the disk of `folder` has left.
package func freeSpace(in folder: String) throws(Errno) -> Int {
  var status = statvfs()
  // SAFETY: the call writes the one structure it is given.
  try perform { unsafe statvfs(systemPath(folder), &status) }
  let (bytes, overflow) = Int(clamping: status.f_bavail)
    .multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
  return overflow ? .max : bytes
}
