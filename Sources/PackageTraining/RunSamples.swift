import ByteIO
import Generation
import ModelGraph
import Models
import Tokenizers
import Training
import Transformer

/// Lets a model go on after the first tokens of some held-out rows, so that a reader sees what its loss
/// means.
struct RunSamples {
  private let prompts: [Prompt]
  private let texts: [String]
  private let heldOut: [String]
  private let tokenizer: Tokenizer
  private let endings: Endings

  private static let count = 2
  private static let promptLength = 32
  private static let length = 48

  /// - Returns: nil for a model without a tokenizer that is read: its tokens are no text.
  init?(_ data: Dataset, for model: OpenedModel, seed: UInt64) throws {
    guard let tokenizer = try Self.tokenizer(of: model) else { return nil }
    let parts = try data.heldOutRows(limit: Self.count).map { row in
      let tokens = row.map { Int32(bitPattern: $0 & TokenMark.id) }
      let border = min(Self.promptLength, tokens.count / 2)
      return (
        tokens[..<border], tokens[border..<min(border + Self.length, tokens.count)]
      )
    }
    guard let texts = try? parts.map({ try tokenizer.decodeText($0.0) }),
      let heldOut = try? parts.map({ try tokenizer.decodeText($0.1) })
    else { return nil }
    (self.texts, self.heldOut, self.tokenizer) = (texts, heldOut, tokenizer)
    endings = Endings(texts: [], tokens: tokenizer.ends(model.graph))
    prompts = parts.map { Prompt(Array($0.0), limit: $0.1.count, seed: seed) }
  }

  /// nil where there is none, or one that is not read: a run on tokens needs none.
  private static func tokenizer(of model: OpenedModel) throws -> Tokenizer? {
    do { return try Tokenizer(of: model.checkpoint) } catch let error as FileError {
      // A file that could not be read is not one that is not there.
      throw error
    } catch {
      return nil
    }
  }

  /// What greedy decoding gives.
  ///
  /// - Parameter recurrence: Passes through the core; nil takes the model's own number, and is for one
  ///   that is not recurrent.
  func samples(of model: Model, recurrence: Int?) -> [EvaluationRecord.Sample] {
    continuations(by: model, recurrence: recurrence).enumerated().compactMap { number, text in
      text.map {
        EvaluationRecord.Sample(
          recurrence: recurrence, prompt: texts[number], text: $0, heldOut: heldOut[number])
      }
    }
  }

  /// What greedy decoding gives after each beginning.
  ///
  /// Whatever keeps one from being made, such as logits that are NaN, a token that is no text or a
  /// signal, is for others to find out: it is nil then.
  func continuations(by model: Model, recurrence: Int?) -> [String?] {
    var found: [String?] = prompts.map { _ in nil }
    if prompts.isEmpty { return found }
    try? continueAll(model, recurrence) { found[$0] = $1 }
    return found
  }

  private func continueAll(
    _ model: Model, _ recurrence: Int?, _ ended: (_ number: Int, _ text: String) -> Void
  ) throws {
    let decoder = try Decoder(model, sequences: prompts.count, recurrence: recurrence)
    try Generator(decoder, tokenizer, endings).run(prompts) { continuation in
      if continuation.reason == .interrupted { return }
      ended(continuation.number, try tokenizer.decodeText(continuation.made))
    }
  }
}
