/// An impossible combination of options that the argument parser cannot see.
package struct UsageError: DiagnosedError, Equatable {
  package var message: String
  package var hint: String?

  package init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }

  package var code: String { "usage" }
  package var kind: FailureKind { .usage }
}
