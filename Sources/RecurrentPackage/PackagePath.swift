import ByteIO

/// Rules for paths inside a package (RP-3, RP-4), the same on every platform.
enum PackagePath {
  /// Whether `path` is relative and plain: no `.`, `..` or empty parts, no backslash, no drive, no
  /// control characters, at most 1024 bytes.
  static func isSafe(_ path: String) -> Bool {
    let bytes = Array(path.utf8)
    guard !bytes.isEmpty, bytes.count <= 1024,
      !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\\") }),
      !(bytes.count > 1 && bytes[1] == UInt8(ascii: ":"))
    else { return false }
    return path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      .allSatisfy { !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }
  }

  /// Throws for a path that is unsafe, or one file with another on some system.
  static func check(_ paths: [String], in container: String) throws(PackageError) {
    var seen: [String: String] = [:]
    for path in paths {
      guard isSafe(path) else { throw PackageError(.unsafePath(path), path: container) }
      // Swift compares strings by canonical equivalence, as some file systems do names.
      if let other = seen.updateValue(path, forKey: path.lowercased()) {
        throw PackageError(.pathTwice(other, path), path: container)
      }
    }
  }
}
