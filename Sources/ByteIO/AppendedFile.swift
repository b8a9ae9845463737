import Platform

/// A file that grows line by line, created if it is missing.
package final class AppendedFile: Sendable {
  package let path: String
  private let descriptor: Descriptor

  package init(_ path: String) throws(FileError) {
    self.path = path
    do { descriptor = try Descriptor(opening: path, for: .appending) } catch {
      throw .refused("open", path, error)
    }
  }

  deinit { descriptor.abandon() }

  /// Appends `line` and a line break in one write.
  package func append(line: String) throws(FileError) {
    do { try descriptor.write(Array((line + "\n").utf8).rawSpan) } catch {
      throw .refused("write", path, error)
    }
  }
}
