package import ByteIO

/// This processor has not the products of a precision.
package struct MissingPrecision: DiagnosedError, Equatable {
  package var precision: Precision

  package var code: String { "precision.missing" }
  package var kind: FailureKind { .unsupported }
  package var message: String {
    "this processor has no products in \(precision.rawValue) (AVX512-BF16, or BF16 on arm64)"
  }
  package var hint: String? { "use the precision \(Precision.float32.rawValue)" }
}
