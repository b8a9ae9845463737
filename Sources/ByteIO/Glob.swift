import Platform

/// Paths that the shell pattern `pattern` fits, in byte order; none is no error.
package func matches(of pattern: String) throws(FileError) -> [String] {
  do {
    return try paths(matching: pattern).sorted { ExactString($0) < ExactString($1) }
  } catch {
    throw FileError.refused("list", pattern, error)
  }
}
