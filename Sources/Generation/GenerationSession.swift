import ByteIO
import Kernels
import Platform
package import Tokenizers
package import Transformer

/// One continuation: tokens in, text out as it becomes certain.
package struct GenerationSession {
  /// Why a continuation ended.
  package enum Reason: String {
    case limit
    case endOfText = "end_of_text"
    case stop
    case interrupted
  }

  private let decoder: Decoder
  private let tokenizer: Tokenizer
  private let stops: [[UInt8]]
  private let ends: Set<Int32>
  package private(set) var made: [Int32] = []
  /// Passes through the core that each token took.
  package private(set) var depths: [Int] = []
  package private(set) var reason = Reason.limit
  /// Time of the prompt.
  package private(set) var promptSeconds = 0.0
  /// Time of the tokens after the prompt.
  package private(set) var seconds = 0.0
  private var bytes: [UInt8] = []
  private var shownCount = 0

  package init(decoder: Decoder, tokenizer: Tokenizer, stops: [[UInt8]], ends: Set<Int32>) {
    self.decoder = decoder
    self.tokenizer = tokenizer
    self.stops = stops
    self.ends = ends
  }

  /// Keys and values that are kept of a token: one pair for each execution of a block.
  package var cacheEntries: Int { decoder.entryCount }

  /// All text so far.
  package var text: String { String(decoding: bytes, as: UTF8.self) }

  /// How deep the tokens thought, for a person.
  package var depthLine: String {
    let mean = Double(depths.reduce(0, +)) / Double(max(1, depths.count))
    return "\(made.count) tokens, \(fixed(mean, 2)) recurrences a token, "
      + "at most \(depths.max() ?? 0)"
  }

  /// Continues `prompt` until `limit` tokens, an end token, a stop text or a signal.
  package mutating func run(
    _ prompt: [Int32], limit: Int, exit: ExitRule?, sampler: inout Sampler,
    show: (String) throws -> Void
  ) throws {
    var streaming = StreamingDecoder(tokenizer, skipSpecial: true)
    // What precedes decides how the first token is spelled, so the decoder sees the prompt first.
    for id in prompt { _ = try streaming.append(id) }
    let promptStart = monotonicSeconds()
    var logits = try decoder.advance(prompt)
    let start = monotonicSeconds()
    promptSeconds = start - promptStart
    var step: [Int32] = [0]
    while made.count < limit {
      if Interruption.isRequested {
        reason = .interrupted
        break
      }
      // Rows of the embedding beyond the vocabulary are padding, and no tokens.
      let token = logits.withRow(0) { row in
        sampler.next(row.extracting(..<min(row.count, tokenizer.vocabularySize)))
      }
      if ends.contains(token) {
        reason = .endOfText
        break
      }
      made.append(token)
      depths.append(decoder.depth)
      let known = bytes.count
      bytes += try streaming.append(token)
      if let position = stopPosition(from: known) {
        bytes.removeLast(bytes.count - position)
        reason = .stop
        break
      }
      try flush(holding: longestStopPrefix(), show)
      step[0] = token
      if made.count == limit { break }
      do { logits = try decoder.advance(step, exit: exit) } catch let error as FileError
        where error.problem == .interrupted
      {
        reason = .interrupted
        break
      }
    }
    seconds = monotonicSeconds() - start
    try flush(holding: 0, show, isEnd: true)
  }

  /// Where the first stop text begins; none lies wholly in the first `known` bytes.
  private func stopPosition(from known: Int) -> Int? {
    stops.compactMap { stop in
      (max(0, known - stop.count + 1)..<bytes.count).first { bytes[$0...].starts(with: stop) }
    }.min()
  }

  /// Bytes at the end that may be the beginning of a stop text.
  private func longestStopPrefix() -> Int {
    stops.map { stop in
      (0..<stop.count).reversed().first { bytes.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
    }.max() ?? 0
  }

  /// Shows what is certain: whole characters, nothing that a stop text may take back.
  private mutating func flush(
    holding held: Int, _ show: (String) throws -> Void, isEnd: Bool = false
  ) throws {
    var end = bytes.count - held
    if !isEnd { end -= bytes[..<end].incompleteSuffix }
    guard end > shownCount else { return }
    try show(String(decoding: bytes[shownCount..<end], as: UTF8.self))
    shownCount = end
  }
}

extension ArraySlice<UInt8> {
  /// Bytes at the end that begin a UTF-8 character and do not finish it.
  fileprivate var incompleteSuffix: Int {
    for count in 1...4 where count <= self.count {
      let byte = self[endIndex - count]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length > count ? count : 0
    }
    return 0
  }
}
