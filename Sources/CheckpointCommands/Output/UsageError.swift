import ByteIO

/// An impossible combination of options that the argument parser cannot see.
struct UsageError: DiagnosedError, Equatable {
  var message: String
  var hint: String?

  init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }

  var code: String { "usage" }
  var kind: FailureKind { .usage }
}
