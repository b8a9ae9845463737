import Platform

/// The absolute path of what is at `path`, with all links followed; nil when nothing is there.
package func resolvedPath(_ path: String) throws(FileError) -> String? {
  do { return try realPath(path) } catch { throw .refused("open", path, error) }
}
