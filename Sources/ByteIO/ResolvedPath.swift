import Glibc

/// The absolute path of what is at `path`, with all links followed; nil when nothing is there.
package func resolvedPath(_ path: String) -> String? {
  // SAFETY: `realpath` allocates the result, which is copied and freed here.
  guard let resolved = unsafe realpath(path, nil) else { return nil }
  defer { unsafe free(resolved) }
  return unsafe String(cString: resolved)
}
