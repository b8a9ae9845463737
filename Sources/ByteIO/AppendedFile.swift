import Glibc
import SystemPackage

/// A file that grows line by line, created if it is missing.
package final class AppendedFile: Sendable {
  package let path: String
  private let descriptor: FileDescriptor

  package init(_ path: String) throws(FileError) {
    self.path = path
    do {
      descriptor = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.append, .create, .closeOnExec],
        permissions: FilePermissions(rawValue: 0o644))
    } catch {
      throw FileError(path, .system(operation: "open", error as? Errno ?? .ioError))
    }
  }

  deinit { try? descriptor.close() }

  /// Appends `line` and a line break in one write.
  package func append(line: String) throws(FileError) {
    do { _ = try descriptor.writeAll((line + "\n").utf8) } catch {
      throw FileError(path, .system(operation: "write", error as? Errno ?? .ioError))
    }
  }
}
