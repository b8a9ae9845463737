/// Text that equals another only when their UTF-8 bytes are the same.
///
/// Swift compares `String` by canonical equivalence, so a composed and a decomposed é would be one
/// tensor name; the file formats say they are two.
public struct ExactString: Hashable, Comparable, Sendable, CustomStringConvertible,
  ExpressibleByStringLiteral
{
  /// The text.
  public let string: String

  /// Takes the text as it is.
  public init(_ string: String) { self.string = string }
  /// The text, as a literal.
  public init(stringLiteral value: String) { string = value }

  /// The text.
  public var description: String { string }

  /// Whether the UTF-8 bytes are the same.
  public static func == (a: Self, b: Self) -> Bool { a.string.utf8.elementsEqual(b.string.utf8) }

  /// The order of the UTF-8 bytes.
  public static func < (a: Self, b: Self) -> Bool {
    a.string.utf8.lexicographicallyPrecedes(b.string.utf8)
  }

  /// Hashes the UTF-8 bytes.
  public func hash(into hasher: inout Hasher) {
    var copy = string
    copy.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}
