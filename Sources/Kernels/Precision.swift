/// How matrix products treat their operands; sums are float32 in either case.
package enum Precision: String, Sendable {
  case float32
  /// Operands are rounded to bfloat16.
  case bf16
}
