extension Double {
  /// IEEE 754 binary16.
  package init(half bits: UInt16) {
    let magnitude = Int(bits & 0x7FFF)
    let (exponent, fraction) = (magnitude >> 10, Double(magnitude & 0x3FF))
    let value: Double =
      switch exponent {
      case 0: fraction * 0x1p-24
      case 31: fraction == 0 ? .infinity : .nan
      default:
        (1 + fraction * 0x1p-10) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
      }
    self = bits >> 15 == 0 ? value : -value
  }
}
