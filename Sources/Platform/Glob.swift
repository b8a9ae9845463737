import Glibc
package import SystemPackage

/// Paths that the shell pattern `pattern` fits, in no order; none is no error.
package func paths(matching pattern: String) throws(Errno) -> [String] {
  var result = unsafe glob_t()
  // SAFETY: the library fills the structure, whose strings are copied before it is freed.
  let status = unsafe glob(systemPath(pattern), GLOB_ERR | GLOB_NOSORT, nil, &result)
  defer { unsafe globfree(&result) }
  if status == GLOB_NOMATCH { return [] }
  guard status == 0 else { throw status == GLOB_NOSPACE ? .noMemory : .ioError }
  var paths: [String] = []
  for i in unsafe 0..<Int(result.gl_pathc) {
    if let path = unsafe result.gl_pathv[i] { paths.append(unsafe PathText.string(at: path)) }
  }
  return paths
}
