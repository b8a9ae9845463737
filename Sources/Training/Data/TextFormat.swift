/// How documents lie in a file.
package struct TextFormat: Equatable, Sendable {
  package var kind: DataKind
  /// Plain text: blank lines divide documents.
  package var splitsAtBlankLines = false
  package var fields = Fields()

  package init(_ kind: DataKind) { self.kind = kind }

  /// Keys of a record.
  package struct Fields: Equatable, Sendable {
    package var text = "text"
    package var prompt = "prompt"
    package var completion = "completion"
    package var messages = "messages"

    package init() {}

    /// Whether the user has named none: then the usual layouts are known by their own fields.
    package var areUsual: Bool { self == Fields() }
  }
}

/// A piece of a document; the loss counts the tokens of target segments only.
package struct Segment: Equatable, Sendable {
  package var bytes: [UInt8]
  package var isTarget: Bool

  package init(_ bytes: [UInt8], isTarget: Bool = true) {
    self.bytes = bytes
    self.isTarget = isTarget
  }
}
