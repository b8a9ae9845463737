package import ByteIO
package import JSON

/// Tokens of a source, all its documents one after another.
package protocol TokenStream: Sendable {
  /// The file the user named.
  var path: String { get }
  var count: Int { get }
  /// Whether the first token of each document is marked as such.
  var marksDocuments: Bool { get }
  /// Fills `tokens` with those from `start` on, ids with the marks of `TokenMark`.
  func read(at start: Int, into tokens: inout [UInt32]) throws
}

extension TokenStream {
  package var marksDocuments: Bool { false }
}

/// What the upper bits of a stored token say; the lower ones are its id.
package enum TokenMark {
  /// The token is read but not learned: a prompt.
  package static let notLearned: UInt32 = 1 << 31
  /// The token is the first of its document.
  package static let startsDocument: UInt32 = 1 << 30
  /// The bits of the id.
  package static let id: UInt32 = 1 << 30 - 1
}

/// What data needs of a tokenizer.
package struct TextEncoder: Sendable {
  /// The tokens of a text given in segments, those of segments that are no targets marked.
  package var encode: @Sendable ([Segment]) throws -> [UInt32]
  /// Tokens before every document.
  package var opening: [Int32]
  /// The token after every document.
  package var ending: Int32?
  /// Distinguishes this tokenizer from others.
  package var identity: Digest
  /// How a conversation becomes text; nil when nothing says.
  package var chat: Chat?

  /// A chat template.
  package struct Chat: Sendable {
    /// Distinguishes this template from others.
    package var identity: Digest
    /// The text of a conversation, its answers as targets.
    ///
    /// - Parameters:
    ///   - messages: As they stand in the record.
    ///   - tools: What the record says under `tools`.
    package var text:
      @Sendable (_ messages: [JSONValue], _ tools: JSONValue?) throws -> ConversationText

    package init(
      identity: Digest,
      text: @escaping @Sendable ([JSONValue], JSONValue?) throws -> ConversationText
    ) {
      self.identity = identity
      self.text = text
    }
  }

  package init(
    opening: [Int32] = [], ending: Int32?, identity: Digest, chat: Chat? = nil,
    encode: @escaping @Sendable ([Segment]) throws -> [UInt32]
  ) {
    self.encode = encode
    self.opening = opening
    self.ending = ending
    self.identity = identity
    self.chat = chat
  }
}

/// A conversation as a document.
package struct ConversationText: Equatable, Sendable {
  package var segments: [Segment]
  /// Whether the token after the document is learned too: where nothing else ends the last answer.
  package var learnsEnding: Bool

  package init(_ segments: [Segment], learnsEnding: Bool) {
    self.segments = segments
    self.learnsEnding = learnsEnding
  }
}
