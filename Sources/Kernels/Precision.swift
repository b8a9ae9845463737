import CKernels

/// How matrix products treat their operands; sums are float32 in either case.
package enum Precision: String, CaseIterable, Sendable {
  case float32
  /// Operands are rounded to bfloat16, in the products of linear layers, attention and gradients.
  case bf16

  /// Whether this processor can.
  package var isSupported: Bool { self == .float32 || ck_bf16_gemm_is_supported() != 0 }

  /// - Throws: When it cannot.
  package func requireProcessor() throws(MissingPrecision) {
    if !isSupported { throw MissingPrecision(precision: self) }
  }

  /// Floats of workspace memory in which a thread packs the operands of a product.
  package var workspaceFloats: Int { self == .bf16 ? ck_bf16_gemm_workspace() / 4 + 1 : 0 }
}
