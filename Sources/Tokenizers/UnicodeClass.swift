/// The character classes that pre-tokenizers ask for, as sets of code points.
///
/// They follow the reference implementation's own tables, not the Swift library's, whose Unicode
/// version differs (`Scripts/make_unicode_tables.py` asks it).
struct UnicodeClass: OptionSet, Sendable {
  let rawValue: UInt8

  /// `\p{L}`.
  static let letter = UnicodeClass(rawValue: 1)
  /// `\p{N}`.
  static let number = UnicodeClass(rawValue: 2)
  /// `\s`.
  static let space = UnicodeClass(rawValue: 4)
  /// What `Digits` isolates: numbers of a newer Unicode version than `\p{N}`'s.
  static let numeric = UnicodeClass(rawValue: 8)
  /// `\w` as the `Whitespace` pre-tokenizer and single-word tokens mean it.
  static let word = UnicodeClass(rawValue: 16)
  /// What `Punctuation` isolates.
  static let punctuation = UnicodeClass(rawValue: 32)
  /// What `StripAccents` removes.
  static let accent = UnicodeClass(rawValue: 64)

  init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The classes of a code point.
  init(of scalar: UInt32) { self = Self.table[Int(scalar)] }

  /// Every code point's classes: expanded once, then one load each.
  private static let table = expanded(UnicodeClassTable.runs, UnicodeClassTable.masks).map {
    UnicodeClass(rawValue: $0)
  }

  /// A mask for every code point.
  fileprivate static func expanded(_ runs: String, _ masks: [UInt8]) -> [UInt8] {
    var table: [UInt8] = []
    table.reserveCapacity(0x110000)
    var length = 0
    for byte in runs.utf8 {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"):
        let mask = masks[Int(byte - UInt8(ascii: "A"))]
        table.append(contentsOf: repeatElement(mask, count: length))
        length = 0
      case UInt8(ascii: "0")...UInt8(ascii: "9"): length = length * 32 + Int(byte) - 48
      default: length = length * 32 + Int(byte) - 87
      }
    }
    precondition(table.count == 0x110000, "the runs cover every code point")
    return table
  }
}

/// More classes, which newer splitting expressions ask for.
struct UnicodeKind: OptionSet, Sendable {
  let rawValue: UInt8

  /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`: what a word may begin with in capitals.
  static let upper = UnicodeKind(rawValue: 1)
  /// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`: what it may go on with.
  static let lower = UnicodeKind(rawValue: 2)
  /// `\p{M}`.
  static let mark = UnicodeKind(rawValue: 4)
  /// `[\p{P}\p{S}]`.
  static let sign = UnicodeKind(rawValue: 8)
  /// `\p{P}`.
  static let punctuation = UnicodeKind(rawValue: 16)

  init(rawValue: UInt8) { self.rawValue = rawValue }

  init(of scalar: UInt32) { self = Self.table[Int(scalar)] }

  private static let table = UnicodeClass.expanded(
    UnicodeKindTable.runs, UnicodeKindTable.masks
  ).map { UnicodeKind(rawValue: $0) }
}

/// A scalar read from valid UTF-8.
struct DecodedScalar {
  var value: UInt32
  var width: Int

  var classes: UnicodeClass { UnicodeClass(of: value) }
  var kinds: UnicodeKind { UnicodeKind(of: value) }

  /// The scalar that starts at `offset`; `text` must be valid UTF-8.
  @inline(__always)
  init(in text: Span<UInt8>, at offset: Int) {
    let first = UInt32(text[offset])
    if first < 0x80 {
      value = first
      width = 1
    } else if first < 0xE0 {
      value = (first & 0x1F) << 6 | Self.tail(text, offset + 1)
      width = 2
    } else if first < 0xF0 {
      value = (first & 0xF) << 12 | Self.tail(text, offset + 1) << 6 | Self.tail(text, offset + 2)
      width = 3
    } else {
      value =
        (first & 7) << 18 | Self.tail(text, offset + 1) << 12 | Self.tail(text, offset + 2) << 6
        | Self.tail(text, offset + 3)
      width = 4
    }
  }

  /// The scalar that ends right before `end`.
  init(in text: Span<UInt8>, before end: Int) {
    var start = end - 1
    while text[start] & 0xC0 == 0x80 { start -= 1 }
    self.init(in: text, at: start)
  }

  @inline(__always)
  private static func tail(_ text: Span<UInt8>, _ offset: Int) -> UInt32 {
    UInt32(text[offset] & 0x3F)
  }
}
