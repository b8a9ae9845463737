/// Where the repository's fixtures are, found from this file's own place.
package enum Fixtures {
  /// Path of `fixtures/`, without a trailing slash.
  package static let folder: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/") + "/fixtures"
  }()

  /// Path of `name` inside `fixtures/`.
  package static func path(_ name: String) -> String { folder + "/" + name }
}
