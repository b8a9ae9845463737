package import ByteIO

/// The system has no memory for a buffer.
package struct MemoryError: DiagnosedError, Equatable {
  package var byteCount: Int

  package init(_ byteCount: Int) { self.byteCount = byteCount }

  package var code: String { "memory.exhausted" }
  package var kind: FailureKind { .resourceLimit }
  package var message: String { "no memory for \(byteCount) bytes" }
  package var hint: String? { "use a smaller batch or sequence, or a machine with more memory" }
}
