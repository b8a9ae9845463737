/// Decodes tokens one at a time, as a model makes them.
///
/// What comes out may end inside a character; joined, it is what `Tokenizer.decode` gives.
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecial: Bool
  private var isStart = true

  /// Starts a text.
  public init(_ tokenizer: Tokenizer, skipSpecial: Bool = false) {
    self.tokenizer = tokenizer
    skipsSpecial = skipSpecial
  }

  /// The bytes that `id` adds to the text.
  public mutating func append(_ id: Int32) throws(TokenizerError) -> [UInt8] {
    if skipsSpecial, tokenizer.isSpecial(id) { return [] }
    defer { isStart = false }
    return try tokenizer.decode(
      CollectionOfOne(id), skipSpecial: false, isStart: isStart, repairs: false)
  }
}
