import Kernels
import Tokenizers

/// What to continue, and how.
package struct Prompt {
  /// At least one.
  package var tokens: [Int32]
  /// Most tokens to make.
  package var limit: Int
  package var sampler: Sampler
  /// Of random start states; nil takes the decoder's.
  package var seed: UInt64?

  package init(_ tokens: [Int32], limit: Int, sampler: Sampler = .greedy, seed: UInt64? = nil) {
    self.tokens = tokens
    self.limit = limit
    self.sampler = sampler
    self.seed = seed
  }
}

/// What ends a continuation beside its length.
package struct Endings {
  /// Texts that it stops before.
  var texts: [[UInt8]]
  var tokens: Set<Int32>

  package init(texts: [String], tokens: Set<Int32>) {
    self.texts = texts.filter { !$0.isEmpty }.map { Array($0.utf8) }
    self.tokens = tokens
  }
}

/// One continuation as it grows: tokens in, text out as it becomes certain.
package struct Continuation {
  /// Why a continuation ended.
  package enum Reason: String {
    case limit
    case endOfText = "end_of_text"
    case stop
    case interrupted
  }

  /// Of its prompt, from 0.
  package let number: Int
  package let promptCount: Int
  package private(set) var made: [Int32] = []
  /// Passes through the core that each token took.
  package private(set) var depths: [Int] = []
  /// Passes that a token took on average; 0 without tokens.
  package var meanDepth: Double {
    Double(depths.reduce(0, +)) / Double(max(1, depths.count))
  }
  /// Tokens that were guessed with few passes, and those of them that all passes chose too.
  package internal(set) var drafted = 0
  package private(set) var accepted = 0
  package internal(set) var reason = Reason.limit
  /// Time of the prompt.
  package internal(set) var promptSeconds = 0.0
  /// Time of the tokens after the prompt; others may have been made in it too.
  package internal(set) var seconds = 0.0
  /// When the prompt was done.
  var start = 0.0

  private let limit: Int
  private let endings: Endings
  private let vocabularySize: Int
  private var sampler: Sampler
  private var streaming: StreamingDecoder
  private var bytes: [UInt8] = []
  private var shownCount = 0

  init(_ prompt: Prompt, number: Int, _ tokenizer: Tokenizer, _ endings: Endings) throws {
    self.number = number
    promptCount = prompt.tokens.count
    limit = prompt.limit
    sampler = prompt.sampler
    self.endings = endings
    vocabularySize = tokenizer.vocabularySize
    streaming = StreamingDecoder(tokenizer, skipSpecial: true)
    // What precedes decides how the first token is spelled, so the decoder sees the prompt first.
    for id in prompt.tokens { _ = try streaming.append(id) }
  }

  /// All text so far.
  package var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Chooses the next token.
  ///
  /// - Parameters:
  ///   - logits: Row `row` of these is what the model predicts.
  ///   - depth: Passes that the prediction took.
  ///   - guess: What a draft says in its place.
  /// - Returns: The token; nil when the continuation has ended.
  mutating func take(
    _ logits: Matrix, row: Int, depth: Int, guess: Int32? = nil
  ) throws -> Int32? {
    if made.count >= limit { return nil }
    let token = sampler.next(logits, row: row, of: vocabularySize)
    if token == guess { accepted += 1 }
    if endings.tokens.contains(token) {
      reason = .endOfText
      return nil
    }
    made.append(token)
    depths.append(depth)
    let known = bytes.count
    bytes += try streaming.append(token)
    if let position = stopPosition(from: known) {
      bytes.removeLast(bytes.count - position)
      reason = .stop
      return nil
    }
    return made.count == limit ? nil : token
  }

  /// Tokens that may still be made.
  var left: Int { limit - made.count }

  /// Guesses what `take` will choose of the tokens to come, with the same random numbers; nil for a
  /// token that ends the text.
  func guesses() -> (Matrix) -> Int32? {
    var sampler = sampler
    return { logits in
      let token = sampler.next(logits, row: 0, of: vocabularySize)
      return endings.tokens.contains(token) ? nil : token
    }
  }

  /// Where the first stop text begins; none lies wholly in the first `known` bytes.
  private func stopPosition(from known: Int) -> Int? {
    endings.texts.compactMap { stop in
      (max(0, known - stop.count + 1)..<bytes.count).first { bytes[$0...].starts(with: stop) }
    }.min()
  }

  /// Bytes at the end that may be the beginning of a stop text.
  private func longestStopPrefix() -> Int {
    endings.texts.map { stop in
      (0..<stop.count).reversed().first { bytes.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
    }.max() ?? 0
  }

  /// Text that has become certain since the last call: whole characters, nothing that a stop text may
  /// take back.
  mutating func freshText(isEnd: Bool) -> String {
    var end = bytes.count
    if !isEnd {
      end -= longestStopPrefix()
      end -= bytes[..<end].incompleteSuffix
    }
    guard end > shownCount else { return "" }
    defer { shownCount = end }
    return String(decoding: bytes[shownCount..<end], as: UTF8.self)
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
