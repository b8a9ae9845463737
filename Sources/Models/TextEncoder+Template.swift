import ByteIO
package import ChatTemplates
import JSON
package import Tokenizers
package import Training

extension TextEncoder.Chat {
  /// A template in Jinja, over a tokenizer's special tokens.
  ///
  /// - Parameter date: What the template writes as today's date, so that texts are always the same.
  package init(_ source: String, _ tokenizer: Tokenizer, date: TemplateDate?) throws {
    let template = try ChatTemplate(source, date: date)
    // Said at once, and not as the fault of a record that could be left out.
    if date == nil, source.contains("strftime_now(") { throw ChatTemplateError(.dateNeeded) }
    let specials = tokenizer.addedTokens.filter(\.special).map(\.content)
    let names = tokenizer.templateVariables
    let identity = Array((source + "\0" + (date?.formatted("%F") ?? "")).utf8)
    self.init(identity: SHA256.digest(of: identity)) { messages, tools in
      var names = names
      if let tools { names["tools"] = tools }
      let text = try template.answers(of: messages, variables: names, specials: specials)
      return ConversationText(
        text.parts.map { Segment($0.bytes, isTarget: $0.isAnswer) }, learnsEnding: text.endsOpen)
    }
  }
}

extension Tokenizer {
  /// The tokens of segments as of one text; a token counts when a byte of it is of a target.
  package func encode(_ segments: [Segment]) throws -> [UInt32] {
    func mark(_ ids: [Int32], _ isTarget: Bool) -> [UInt32] {
      ids.map { UInt32(bitPattern: $0) | (isTarget ? 0 : TokenMark.notLearned) }
    }
    if segments.count == 1 { return mark(try encode(segments[0].bytes), segments[0].isTarget) }
    let text = segments.flatMap(\.bytes)
    let ids = try encode(text)
    var decoder = StreamingDecoder(self)
    let widths = try ids.map { try decoder.append($0) }
    // Where decoding does not give the text back, each segment is encoded for itself.
    guard widths.lazy.joined().elementsEqual(text) else {
      return try segments.flatMap { mark(try encode($0.bytes), $0.isTarget) }
    }
    var counts = [Bool](repeating: false, count: text.count)
    var start = 0
    for segment in segments {
      if segment.isTarget {
        for i in start..<(start + segment.bytes.count) { counts[i] = true }
      }
      start += segment.bytes.count
    }
    start = 0
    return zip(ids, widths).map { id, bytes in
      defer { start += bytes.count }
      let isTarget = counts[start..<(start + bytes.count)].contains(true)
      return UInt32(bitPattern: id) | (isTarget ? 0 : TokenMark.notLearned)
    }
  }
}
