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

/// The number of bytes that a text says: `5GB` is decimal, `5GiB` binary, a bare number bytes.
package func byteCount(_ text: String) -> Int? {
  let units: [(String, Double)] = [
    ("KIB", 0x1p10), ("MIB", 0x1p20), ("GIB", 0x1p30), ("TIB", 0x1p40), ("KB", 1e3), ("MB", 1e6),
    ("GB", 1e9), ("TB", 1e12), ("K", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("B", 1), ("", 1),
  ]
  let text = text.uppercased()
  guard let (suffix, scale) = units.first(where: { text.hasSuffix($0.0) }),
    let number = Double(text.dropLast(suffix.count)), number > 0, number * scale < 0x1p60,
    number * scale >= 1
  else { return nil }
  return Int(number * scale)
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
