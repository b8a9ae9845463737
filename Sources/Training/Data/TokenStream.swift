package import ByteIO

/// Tokens of a source, all its documents one after another.
package protocol TokenStream: Sendable {
  /// The file the user named.
  var path: String { get }
  var count: Int { get }
  /// Fills `tokens` with those from `start` on. Bit 31 marks a token that is no target of the loss.
  func read(at start: Int, into tokens: inout [UInt32]) throws
}

/// The mark of tokens that are read but not learned: prompts.
package let notATarget: UInt32 = 1 << 31

/// What data needs of a tokenizer.
package struct TextEncoder: Sendable {
  package var encode: @Sendable ([UInt8]) throws -> [Int32]
  /// Tokens before every document.
  package var opening: [Int32]
  /// The token after every document.
  package var ending: Int32?
  /// Distinguishes this tokenizer from others.
  package var identity: Digest

  package init(
    opening: [Int32] = [], ending: Int32?, identity: Digest,
    encode: @escaping @Sendable ([UInt8]) throws -> [Int32]
  ) {
    self.encode = encode
    self.opening = opening
    self.ending = ending
    self.identity = identity
  }
}
