package import SystemPackage

/// Why a file could not be opened, read or written.
package struct FileError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The operating system refused `operation`.
    case system(operation: String, Errno)
    /// The file ended before the requested bytes; another program may have truncated it.
    case shortRead(wanted: Int, got: Int)
    /// The file's size or modification time changed while it was being read.
    case changedWhileReading
    /// The path holds something that is not a regular file.
    case notRegular
    /// The output exists and overwriting was not asked for.
    case exists
    /// The output would lie inside the package at this path.
    case insidePackage(String)
    /// Another process is writing there.
    case inUse
    /// The output would replace a file that is being read.
    case overwritesInput
    /// The file system has fewer free bytes than the output needs.
    case noSpace(needed: Int, free: Int)
    /// The file is larger than this kind of file can be.
    case tooLarge(byteCount: Int, limit: Int)
    /// A signal asked the program to stop.
    case interrupted
  }

  package var path: String
  package var problem: Problem
  package var position: Int?

  package init(_ path: String, _ problem: Problem, at position: Int? = nil) {
    self.path = path
    self.problem = problem
    self.position = position
  }

  /// Nothing is at `path`.
  package static func missing(_ path: String) -> FileError {
    FileError(path, .system(operation: "open", .noSuchFileOrDirectory))
  }

  /// The operating system refused to `operation` what is at `path`.
  package static func refused(
    _ operation: String, _ path: String, _ reason: Errno, at position: Int? = nil
  ) -> FileError {
    FileError(path, .system(operation: operation, reason), at: position)
  }

  package var file: String? { path }
  package var offset: Int? { position }

  package var code: String {
    switch problem {
    case .system(_, .noSuchFileOrDirectory): "io.missing"
    case .system(_, .permissionDenied), .system(_, .notPermitted): "io.permission"
    case .system(_, .noSpace): "io.no_space"
    case .system: "io.failed"
    case .shortRead: "io.short_read"
    case .changedWhileReading: "io.changed"
    case .notRegular: "io.not_regular"
    case .exists: "io.exists"
    case .inUse: "io.in_use"
    case .insidePackage: "io.inside_package"
    case .overwritesInput: "io.overwrites_input"
    case .noSpace: "io.no_space"
    case .tooLarge: "io.too_large"
    case .interrupted: "interrupted"
    }
  }

  package var kind: FailureKind {
    switch problem {
    case .exists, .inUse, .insidePackage, .overwritesInput: .outputExists
    case .tooLarge: .resourceLimit
    case .interrupted: .interrupted
    default: .inputOutput
    }
  }

  package var message: String {
    switch problem {
    case .system(let operation, let errno): "cannot \(operation): \(errno)"
    case .shortRead(let wanted, let got): "the file ended: \(wanted) bytes wanted, \(got) read"
    case .changedWhileReading: "the file changed while it was being read"
    case .notRegular: "not a regular file"
    case .exists: "the output already exists"
    case .insidePackage(let package):
      "the output would lie inside the package \(package) and damage it"
    case .inUse: "another process is writing there"
    case .overwritesInput: "the output would overwrite its input"
    case .noSpace(let needed, let free): "needs \(needed) bytes of disk space, but \(free) are free"
    case .tooLarge(let byteCount, let limit):
      "the file has \(byteCount) bytes; at most \(limit) are read"
    case .interrupted: "interrupted; nothing was published"
    }
  }

  package var hint: String? {
    switch problem {
    case .exists: "choose another output, or pass --force to replace it"
    case .inUse: "wait for it to end, or choose another output"
    case .overwritesInput, .insidePackage: "choose another output"
    case .noSpace, .system(_, .noSpace): "free some space, or write to another disk"
    default: nil
    }
  }
}
