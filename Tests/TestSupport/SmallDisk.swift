/// A file system of a few megabytes, in memory, that a line of shell may fill up.
package enum SmallDisk {
  /// Whether one can be mounted: by root, or by whoever may make namespaces of users.
  package static let isAvailable: Bool = {
    let folder = TemporaryFolder()
    return (try? shell(at: folder.path, megabytes: 1, ":")) == 0
  }()

  /// Runs a line of bash while an empty disk is mounted on the folder `path`, for this line alone;
  /// `$0` is the program, `$1` that folder.
  package static func shell(
    at path: String, megabytes: Int, _ line: String, _ arguments: String...
  ) throws -> Int32 {
    let mount = "mount -t tmpfs -o size=\(megabytes)m none \"$1\" || exit 99; "
    return try Executable.shell(
      "exec unshare --map-root-user --mount bash -c \"$1\" \"$0\" \"${@:2}\"",
      arguments: [mount + line, path] + arguments)
  }
}
