/// Decompositions, compositions and combining classes of the reference implementation's Unicode.
///
/// The tables' text is a list of entries `gap[:count],number,…` in base 32, each ended by `;` or
/// `!`: the gap counts from the end of the entry before; an entry of `count` code points stands for
/// a run whose first number grows along.
struct NormalizationTable: Sendable {
  /// Full canonical decompositions, Hangul apart.
  let canonical: [UInt32: [UInt32]]
  /// Full compatibility decompositions where they differ from the canonical.
  let compatible: [UInt32: [UInt32]]
  /// Composed character of a pair, under the first shifted left by 32, and the second.
  let compositions: [UInt64: UInt32]
  /// Combining class of each code point that has one.
  let combining: [UInt32: UInt8]

  static let shared = NormalizationTable()

  private init() {
    var canonical: [UInt32: [UInt32]] = [:]
    var compatible: [UInt32: [UInt32]] = [:]
    var combining: [UInt32: UInt8] = [:]
    var composed: [[UInt32]: UInt32] = [:]
    Self.forEachEntry(of: CanonicalTable.decompositions) { scalar, parts, composes in
      canonical[scalar] = parts
      if composes { composed[parts] = scalar }
    }
    Self.forEachEntry(of: CompatibilityTable.decompositions) { scalar, parts, _ in
      compatible[scalar] = parts
    }
    Self.forEachEntry(of: CanonicalTable.combining) { scalar, parts, _ in
      combining[scalar] = UInt8(truncatingIfNeeded: parts[1])
    }
    // The last part joins what the parts before it have become.
    var compositions: [UInt64: UInt32] = [:]
    for (parts, scalar) in composed {
      let start = parts.count == 2 ? parts[0] : composed[parts.dropLast()]
      if let start { compositions[Self.pair(start, parts[parts.count - 1])] = scalar }
    }
    self.canonical = canonical
    self.compatible = compatible
    self.compositions = compositions
    self.combining = combining
  }

  static func pair(_ first: UInt32, _ second: UInt32) -> UInt64 {
    UInt64(first) << 32 | UInt64(second)
  }

  private static func forEachEntry(of table: String, _ body: (UInt32, [UInt32], Bool) -> Void) {
    var scalar: UInt32 = 0
    var fields: [UInt32] = []
    var runLength: UInt32 = 1
    var number: UInt32 = 0
    for byte in table.utf8 {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number * 32 + UInt32(byte) - 48
      case UInt8(ascii: "a")...UInt8(ascii: "v"): number = number * 32 + UInt32(byte) - 87
      case UInt8(ascii: ":"):
        fields.append(number)
        number = 0
        runLength = 0
      default:
        // A pending `:` makes this number the count of the run.
        if runLength == 0 { runLength = number } else { fields.append(number) }
        number = 0
        guard byte != UInt8(ascii: ",") else { continue }
        scalar += fields[0]
        var parts = Array(fields[1...])
        for _ in 0..<runLength {
          body(scalar, parts, byte == UInt8(ascii: ";"))
          scalar += 1
          parts[0] += 1
        }
        fields.removeAll(keepingCapacity: true)
        runLength = 1
      }
    }
  }
}
