/// `value` with a comma between groups of three digits.
package func grouped(_ value: Int) -> String {
  var digits = Array(String(value.magnitude))
  var i = digits.count - 3
  while i > 0 {
    digits.insert(",", at: i)
    i -= 3
  }
  return (value < 0 ? "-" : "") + String(digits)
}

/// `1 tensor`, `2 tensors`: a number and the noun that goes with it.
package func counted(_ count: Int, _ noun: String) -> String {
  "\(grouped(count)) \(noun)" + (count == 1 ? "" : "s")
}

/// `count` bytes in the binary unit that reads best, such as `1.7 GiB`.
package func byteSize(_ count: Int) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
  var value = Double(count)
  var unit = 0
  while value >= 1024, unit < units.count - 1 {
    value /= 1024
    unit += 1
  }
  return unit == 0 ? "\(count) B" : "\(fixed(value, 1)) \(units[unit])"
}

/// `value` with `digits` digits after the point.
package func fixed(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite else { return "\(value)" }
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let scaled = (value * scale).rounded()
  guard abs(scaled) < 9e15 else { return "\(value)" }
  let whole = Int(scaled)
  let (integer, fraction) = whole.magnitude.quotientAndRemainder(dividingBy: UInt(scale))
  let sign = whole < 0 ? "-" : ""
  guard digits > 0 else { return sign + "\(integer)" }
  let tail = String(fraction)
  return sign + "\(integer)." + String(repeating: "0", count: digits - tail.count) + tail
}

/// `value` with three significant digits and a power of ten, such as `3.42e-07`.
package func scientific(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return "\(value)" }
  var exponent = 0
  var mantissa = abs(value)
  while mantissa >= 10 {
    mantissa /= 10
    exponent += 1
  }
  while mantissa < 1 {
    mantissa *= 10
    exponent -= 1
  }
  if fixed(mantissa, 2) == "10.00" {
    mantissa = 1
    exponent += 1
  }
  let power = String(exponent.magnitude)
  let sign = exponent < 0 ? "-" : "+"
  return (value < 0 ? "-" : "") + fixed(mantissa, 2) + "e" + sign
    + String(repeating: "0", count: max(0, 2 - power.count)) + power
}
