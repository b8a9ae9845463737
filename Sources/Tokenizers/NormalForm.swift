/// The Unicode normalization forms, by the algorithm of Unicode Standard Annex 15.
enum NormalForm: String, Sendable {
  case composed = "NFC"
  case decomposed = "NFD"
  case compatiblyComposed = "NFKC"
  case compatiblyDecomposed = "NFKD"

  private var composes: Bool { self == .composed || self == .compatiblyComposed }
  private var isCompatible: Bool {
    self == .compatiblyComposed || self == .compatiblyDecomposed
  }

  /// First code point that no form changes, nor any above it.
  private static let limit: UInt32 = 0x30000

  /// Whether each code point below `limit` may change, or change place, in a form.
  private var unstable: [Bool] {
    switch self {
    case .composed: Self.unstableComposed
    case .decomposed: Self.unstableDecomposed
    case .compatiblyComposed: Self.unstableCompatiblyComposed
    case .compatiblyDecomposed: Self.unstableCompatiblyDecomposed
    }
  }

  private static let unstableComposed = unstable(NormalForm.composed)
  private static let unstableDecomposed = unstable(NormalForm.decomposed)
  private static let unstableCompatiblyComposed = unstable(NormalForm.compatiblyComposed)
  private static let unstableCompatiblyDecomposed = unstable(NormalForm.compatiblyDecomposed)

  private static func unstable(_ form: NormalForm) -> [Bool] {
    let table = NormalizationTable.shared
    var result = [Bool](repeating: false, count: Int(limit))
    func mark(_ scalars: some Sequence<UInt32>) {
      for scalar in scalars where form.mayChange(scalar) { result[Int(scalar)] = true }
    }
    mark(table.combining.keys)
    mark(table.canonical.keys)
    mark(table.compatible.keys)
    mark(joinsBackwards)
    for range in [Hangul.syllables, Hangul.vowels, Hangul.tails] { mark(range) }
    return result
  }

  private func mayChange(_ scalar: UInt32) -> Bool {
    let table = NormalizationTable.shared
    if table.combining[scalar] != nil { return true }
    if composes, NormalForm.joinsBackwards.contains(scalar) || Hangul.joinsBackwards(scalar) {
      return true
    }
    var parts: [UInt32] = []
    decompose(scalar, into: &parts)
    return (composes ? NormalForm.compose(parts) : parts) != [scalar]
  }

  /// Characters that can be the second of a pair.
  private static let joinsBackwards = Set(
    NormalizationTable.shared.compositions.keys.map { UInt32(truncatingIfNeeded: $0) })

  /// The text, valid UTF-8, in this form.
  func apply(to text: [UInt8]) -> [UInt8] {
    let source = text.span
    if source.allASCII { return text }
    let unstable = self.unstable
    var output: [UInt8] = []
    output.reserveCapacity(text.count)
    var i = 0
    var previous = 0  // Start of the last character that was copied.
    while i < source.count {
      let scalar = DecodedScalar(in: source, at: i)
      guard scalar.value < Self.limit, unstable[Int(scalar.value)] else {
        output.append(contentsOf: text[i..<(i + scalar.width)])
        previous = i
        i += scalar.width
        continue
      }
      // Only the character before and the unstable ones after it can interact.
      output.removeLast(i - previous)
      var parts: [UInt32] = []
      if previous < i { decompose(DecodedScalar(in: source, at: previous).value, into: &parts) }
      while i < source.count {
        let scalar = DecodedScalar(in: source, at: i)
        guard scalar.value < Self.limit, unstable[Int(scalar.value)] else { break }
        decompose(scalar.value, into: &parts)
        i += scalar.width
      }
      Self.order(&parts)
      for scalar in composes ? Self.compose(parts) : parts { output.append(scalar: scalar) }
      previous = i
    }
    return output
  }

  private func decompose(_ scalar: UInt32, into parts: inout [UInt32]) {
    let table = NormalizationTable.shared
    if Hangul.decompose(scalar, into: &parts) { return }
    let compatible = isCompatible ? table.compatible[scalar] : nil
    if let found = compatible ?? table.canonical[scalar] {
      parts += found
    } else {
      parts.append(scalar)
    }
  }

  /// Sorts each run of combining characters by class, stably.
  private static func order(_ parts: inout [UInt32]) {
    let combining = NormalizationTable.shared.combining
    var i = 0
    while i < parts.count {
      guard combining[parts[i]] != nil else {
        i += 1
        continue
      }
      // A run may be as long as the text: it is sorted by class, then by place.
      var run: [(own: UInt8, place: Int, scalar: UInt32)] = []
      let start = i
      while i < parts.count, let own = combining[parts[i]] {
        run.append((own, i, parts[i]))
        i += 1
      }
      if run.count > 1 { run.sort { ($0.own, $0.place) < ($1.own, $1.place) } }
      for (offset, element) in run.enumerated() { parts[start + offset] = element.scalar }
    }
  }

  /// Joins each starter with the characters after it that nothing blocks.
  private static func compose(_ parts: [UInt32]) -> [UInt32] {
    let table = NormalizationTable.shared
    var result: [UInt32] = []
    var starter: Int?
    var lastClass: UInt8 = 0
    for scalar in parts {
      let own = table.combining[scalar] ?? 0
      if let starter, starter == result.count - 1 || lastClass < own,
        let joined = Hangul.compose(result[starter], scalar)
          ?? table.compositions[NormalizationTable.pair(result[starter], scalar)]
      {
        result[starter] = joined
        continue
      }
      if own == 0 { starter = result.count }
      lastClass = own
      result.append(scalar)
    }
    return result
  }
}

/// Korean syllables, which compose by arithmetic (Unicode Standard, section 3.12).
private enum Hangul {
  static let syllables: Range<UInt32> = 0xAC00..<0xD7A4
  static let leads: Range<UInt32> = 0x1100..<0x1113
  static let vowels: Range<UInt32> = 0x1161..<0x1176
  /// Trailing consonants; the number before the first means none.
  static let tails: Range<UInt32> = 0x11A8..<0x11C3

  static func joinsBackwards(_ scalar: UInt32) -> Bool {
    vowels.contains(scalar) || tails.contains(scalar)
  }

  static func decompose(_ scalar: UInt32, into parts: inout [UInt32]) -> Bool {
    guard syllables.contains(scalar) else { return false }
    let index = scalar - syllables.lowerBound
    parts.append(leads.lowerBound + index / 588)
    parts.append(vowels.lowerBound + index % 588 / 28)
    if index % 28 != 0 { parts.append(tails.lowerBound - 1 + index % 28) }
    return true
  }

  static func compose(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if leads.contains(first), vowels.contains(second) {
      let lead = first - leads.lowerBound
      return syllables.lowerBound + (lead * 21 + second - vowels.lowerBound) * 28
    }
    if syllables.contains(first), (first - syllables.lowerBound) % 28 == 0, tails.contains(second) {
      return first + second - (tails.lowerBound - 1)
    }
    return nil
  }
}
