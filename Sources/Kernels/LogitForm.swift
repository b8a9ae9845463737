import CKernels

/// What becomes of the head's results before they are logits: `cap(x / divisor)`, where cap is
/// `softcap · tanh(x / softcap)`, or nothing.
package struct LogitForm: Equatable, Sendable {
  package let divisor: Float
  /// 0 for none.
  package let softcap: Float

  package init(divisor: Double = 1, softcap: Double? = nil) {
    self.divisor = Float(divisor)
    self.softcap = Float(softcap ?? 0)
  }

  /// The head's results as they are.
  package static let plain = LogitForm()

  /// Makes logits of the head's results, in place.
  package func apply(_ logits: Matrix, on compute: Compute) {
    if self == .plain { return }
    compute.divide(logits.rows, grain: grain(logits)) { _, rows in
      unsafe ck_softcap(
        logits.pointer(rows.lowerBound), logits.stride, rows.count, logits.columns, 1 / divisor,
        softcap)
    }
  }

  var inverseCap: Float { softcap > 0 ? 1 / softcap : 0 }
}
