package import ByteIO

/// OpenBLAS is not installed, or cannot be loaded.
package struct MissingLibrary: DiagnosedError, Equatable {
  package var code: String { "library.missing" }
  package var kind: FailureKind { .inputOutput }
  package var message: String { "libopenblas.so.0 cannot be loaded" }
  package var hint: String? { "install it (Debian: libopenblas0), and check the limits on memory" }
}
