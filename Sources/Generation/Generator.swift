import ByteIO
import Kernels
import Platform
package import Tokenizers
package import Transformer

/// Continues prompts in the places of a decoder. A place whose continuation has ended takes the next
/// prompt at once; every continuation is what it would be alone, token for token.
package struct Generator {
  private let decoder: Decoder
  private let tokenizer: Tokenizer
  private let endings: Endings

  package init(_ decoder: Decoder, _ tokenizer: Tokenizer, _ endings: Endings) {
    self.decoder = decoder
    self.tokenizer = tokenizer
    self.endings = endings
  }

  /// Continues all prompts until their limits, end tokens, stop texts or a signal, which leaves those
  /// out that have not begun.
  ///
  /// - Parameters:
  ///   - exit: Lets each token after a prompt leave the core early.
  ///   - show: Gets text as it becomes certain; for a single prompt.
  ///   - ended: Gets each continuation when it has ended.
  package func run(
    _ prompts: [Prompt], exit: ExitRule? = nil, show: (String) throws -> Void = { _ in },
    ended: (Continuation) throws -> Void
  ) throws {
    var places = [Continuation?](repeating: nil, count: decoder.sequences)
    var tokens = [Int32](repeating: 0, count: places.count)
    var waiting = prompts.enumerated().makeIterator()

    /// Lets the continuation of a place take row `row` of the predictions.
    func take(_ place: Int, _ logits: Matrix, row: Int) throws {
      guard var continuation = places[place] else { return }
      let token = try continuation.take(logits, row: row, depth: decoder.depths[row])
      places[place] = continuation
      guard let token else { return try finish(place) }
      tokens[place] = token
      try showFresh(&places[place], isEnd: false)
    }

    func showFresh(_ continuation: inout Continuation?, isEnd: Bool) throws {
      let text = continuation?.freshText(isEnd: isEnd) ?? ""
      if !text.isEmpty { try show(text) }
    }

    func finish(_ place: Int, _ reason: Continuation.Reason? = nil) throws {
      try showFresh(&places[place], isEnd: true)
      guard var continuation = places[place] else { return }
      places[place] = nil
      continuation.seconds = monotonicSeconds() - continuation.start
      if let reason { continuation.reason = reason }
      try ended(continuation)
    }

    func interrupt() throws {
      for place in places.indices { try finish(place, .interrupted) }
    }

    while true {
      for place in places.indices {
        while places[place] == nil, !Interruption.isRequested, let (number, prompt) = waiting.next()
        {
          let (continuation, logits) = try begin(prompt, number, place)
          places[place] = continuation
          try take(place, logits, row: 0)
        }
      }
      if Interruption.isRequested { return try interrupt() }
      let next = places.indices.compactMap { place in
        places[place].map { _ in Decoder.Next(sequence: place, token: tokens[place]) }
      }
      if next.isEmpty { return }
      let logits: Matrix
      do { logits = try decoder.advance(next, exit: exit) } catch let error as FileError
        where error.problem == .interrupted
      { return try interrupt() }
      for (row, step) in next.enumerated() { try take(step.sequence, logits, row: row) }
    }
  }

  private func begin(
    _ prompt: Prompt, _ number: Int, _ place: Int
  ) throws -> (Continuation, Matrix) {
    var continuation = try Continuation(prompt, number: number, tokenizer, endings)
    if let seed = prompt.seed {
      decoder.restart(place, seed: seed)
    } else {
      decoder.rewind(of: place)
    }
    let start = monotonicSeconds()
    let logits = try decoder.advance(prompt.tokens, of: place)
    continuation.start = monotonicSeconds()
    continuation.promptSeconds = continuation.start - start
    return (continuation, logits)
  }
}
