import ByteIO
import Kernels
import Platform
package import Tokenizers
package import Transformer

/// Continues prompts in the places of a decoder. A place whose continuation has ended takes the next
/// prompt at once; every continuation is what it would be alone, token for token. A decoder that drafts
/// does so in one place after the other.
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
  ///   - exit: Lets each token after a prompt leave the core early; not while drafting.
  ///   - show: Gets text as it becomes certain; for a single prompt.
  ///   - ended: Gets each continuation when it has ended.
  package func run(
    _ prompts: [Prompt], exit: ExitRule? = nil, show: (String) throws -> Void = { _ in },
    ended: (Continuation) throws -> Void
  ) throws {
    precondition(exit == nil || decoder.draft == nil, "a draft is checked with all passes")
    var places = Places(decoder)
    var waiting = prompts.enumerated().makeIterator()

    func tell() throws {
      for event in places.takeEvents() {
        switch event {
        case .text(let text): try show(text)
        case .ended(let continuation): try ended(continuation)
        }
      }
    }

    while true {
      for place in places.indices {
        while places.isFree(place), !Interruption.isRequested, let (number, prompt) = waiting.next()
        {
          let (continuation, logits) = try begin(prompt, number, place)
          try places.begin(continuation, at: place, logits)
          try tell()
        }
      }
      let next = places.next
      if next.isEmpty { return }
      do {
        try Interruption.check()
        try places.advance(next, exit: exit)
      } catch let error as FileError where error.problem == .interrupted {
        places.interrupt()
      }
      try tell()
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
