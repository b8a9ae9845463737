import ByteIO
import JSON

@testable import Training

/// One token a byte, 256 ends a document; a conversation is `role:content;`, answers with their `;`.
let byteEncoder = TextEncoder(
  ending: 256, identity: SHA256.digest(of: Array("bytes".utf8)),
  chat: .init(identity: SHA256.digest(of: Array("chat".utf8))) { messages, tools in
    let segments = messages.flatMap { message -> [Segment] in
      let role = message["role"]?.string ?? ""
      let content = message["content"]?.string ?? ""
      return [
        Segment(Array((role + ":").utf8), isTarget: false),
        Segment(Array((content + ";").utf8), isTarget: role == "assistant"),
      ]
    }
    if messages.count > 2 { throw DataError(.empty, "") }
    return ConversationText(segments, learnsEnding: tools != nil)
  },
  encode: { segments in
    segments.flatMap { segment in
      segment.bytes.map { UInt32($0) | (segment.isTarget ? 0 : TokenMark.notLearned) }
    }
  })

/// The tokens of a source, its files' kinds decided by their content.
func tokens(
  of path: String, in cache: String, encoder: TextEncoder = byteEncoder, skips: Bool = false,
  _ change: (inout TextFormat) -> Void = { _ in }
) throws -> [UInt32] {
  var format = TextFormat(.text)
  change(&format)
  let stream = try TokenCache(cache).tokens(
    of: TokenCache.Request(
      path: path, files: DataFiles(path).files, format: format, encoder: encoder,
      vocabulary: 257, skipsBadRecords: skips))
  return try unmarked(stream)
}

/// All tokens of a stream, without the marks of documents.
func unmarked(_ stream: any TokenStream) throws -> [UInt32] {
  var all = [UInt32](repeating: 0, count: stream.count)
  try stream.read(at: 0, into: &all)
  return all.map { $0 & ~TokenMark.startsDocument }
}

/// Tokens of a stream at which documents begin.
func documentStarts(_ stream: any TokenStream) throws -> [Int] {
  var all = [UInt32](repeating: 0, count: stream.count)
  try stream.read(at: 0, into: &all)
  return all.indices.filter { all[$0] & TokenMark.startsDocument != 0 }
}

func bytes(_ text: String, masked: Bool = false) -> [UInt32] {
  text.utf8.map { UInt32($0) | (masked ? TokenMark.notLearned : 0) }
}
