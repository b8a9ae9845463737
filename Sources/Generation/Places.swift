import Kernels
import Platform
import Transformer

/// The continuations that are under way, each in its place of a decoder.
struct Places {
  enum Event {
    /// Text has become certain.
    case text(String)
    case ended(Continuation)
  }

  private let decoder: Decoder
  private var continuations: [Continuation?]
  /// The last token of each, which the decoder has not met.
  private var tokens: [Int32]
  private var events: [Event] = []

  init(_ decoder: Decoder) {
    self.decoder = decoder
    continuations = [Continuation?](repeating: nil, count: decoder.sequences)
    tokens = [Int32](repeating: 0, count: decoder.sequences)
  }

  var indices: Range<Int> { continuations.indices }

  func isFree(_ place: Int) -> Bool { continuations[place] == nil }

  /// What the decoder takes next.
  var next: [Decoder.Next] {
    indices.filter { !isFree($0) }.map { Decoder.Next(sequence: $0, token: tokens[$0]) }
  }

  /// - Parameter logits: `[1, V]`, after the prompt.
  mutating func begin(_ continuation: Continuation, at place: Int, _ logits: Matrix) throws {
    continuations[place] = continuation
    try take(place, logits, row: 0)
  }

  /// A token for each of `next`, or several that are drafted.
  mutating func advance(_ next: [Decoder.Next], exit: ExitRule?) throws {
    if decoder.draft != nil {
      for next in next { try takeDraft(next.sequence) }
      return
    }
    let logits = try decoder.advance(next, exit: exit)
    for (row, next) in next.enumerated() { try take(next.sequence, logits, row: row) }
  }

  /// Lets the decoder draft for a place, which takes what all passes say after its token and after the
  /// guesses, up to the first that was wrong.
  private mutating func takeDraft(_ place: Int) throws {
    guard let continuation = continuations[place] else { return }
    let length = decoder.length(of: place)
    let (guesses, logits) = try decoder.advance(
      tokens[place], of: place, drafting: continuation.left - 1, guess: continuation.guesses())
    continuations[place]?.drafted += guesses.count
    for row in 0..<logits.rows {
      let guess = row < guesses.count ? guesses[row] : nil
      try take(place, logits, row: row, guess: guess)
      if isFree(place) { return }
      if tokens[place] != guess { return decoder.rewind(to: length + row + 1, of: place) }
    }
  }

  /// Lets a place take row `row` of the predictions.
  private mutating func take(
    _ place: Int, _ logits: Matrix, row: Int, guess: Int32? = nil
  ) throws {
    guard var continuation = continuations[place] else { return }
    let token = try continuation.take(logits, row: row, depth: decoder.depths[row], guess: guess)
    continuations[place] = continuation
    guard let token else { return finish(place) }
    tokens[place] = token
    tellFresh(place, isEnd: false)
  }

  private mutating func tellFresh(_ place: Int, isEnd: Bool) {
    let text = continuations[place]?.freshText(isEnd: isEnd) ?? ""
    if !text.isEmpty { events.append(.text(text)) }
  }

  private mutating func finish(_ place: Int, _ reason: Continuation.Reason? = nil) {
    tellFresh(place, isEnd: true)
    guard var continuation = continuations[place] else { return }
    continuations[place] = nil
    continuation.seconds = monotonicSeconds() - continuation.start
    if let reason { continuation.reason = reason }
    events.append(.ended(continuation))
  }

  /// Ends all that are under way.
  mutating func interrupt() {
    for place in indices { finish(place, .interrupted) }
  }

  /// What has happened since the last call, in order.
  mutating func takeEvents() -> [Event] {
    defer { events = [] }
    return events
  }
}
