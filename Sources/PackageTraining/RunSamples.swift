import Generation
import ModelGraph
import Models
import Tokenizers
import Training
import Transformer

/// Lets a model in training go on after the first tokens of some held-out rows, so that a reader sees
/// what its loss means.
struct RunSamples {
  private let prompts: [Prompt]
  private let heldOut: [String]
  private let texts: [String]
  private let tokenizer: Tokenizer
  private let endings: Endings
  private let network: TrainableModel
  /// nil for a model that is not recurrent.
  private let recurrence: Int?

  private static let count = 2
  private static let promptLength = 32
  private static let length = 48

  /// - Parameter recurrence: Passes through the core: as many as the run trains for.
  /// - Returns: nil for a model without a tokenizer that is read: its tokens are no text.
  init?(
    _ data: Dataset, of network: TrainableModel, _ model: OpenedModel, recurrence: Int?,
    seed: UInt64
  ) throws {
    // A run on tokens needs none.
    guard let tokenizer = (try? Tokenizer(of: model.checkpoint)) ?? nil else { return nil }
    let rows = try data.heldOutRows(limit: Self.count).map { row in
      row.map { Int32(bitPattern: $0 & TokenMark.id) }
    }
    self.tokenizer = tokenizer
    self.network = network
    self.recurrence = recurrence
    endings = Endings(texts: [], tokens: tokenizer.ends(network.graph))
    let parts = rows.map { row in
      let border = min(Self.promptLength, row.count / 2)
      return (row[..<border], row[border..<min(border + Self.length, row.count)])
    }
    prompts = parts.map { Prompt(Array($0.0), limit: $0.1.count, seed: seed) }
    guard let texts = try? parts.map({ try tokenizer.decodeText($0.0) }),
      let heldOut = try? parts.map({ try tokenizer.decodeText($0.1) })
    else { return nil }
    (self.texts, self.heldOut) = (texts, heldOut)
  }

  /// What greedy decoding gives with the parameters as they are now.
  ///
  /// Whatever keeps a sample from being made, such as logits that are NaN, a token that is no text or a
  /// signal, is the run's to find out: the sample is missing then.
  func made() -> [EvaluationRecord.Sample] {
    if prompts.isEmpty { return [] }
    var samples: [EvaluationRecord.Sample?] = prompts.map { _ in nil }
    try? continueAll { number, text in
      samples[number] = EvaluationRecord.Sample(
        recurrence: recurrence, prompt: texts[number], text: text, heldOut: heldOut[number])
    }
    return samples.compactMap { $0 }
  }

  private func continueAll(_ ended: (_ number: Int, _ text: String) -> Void) throws {
    let decoder = try Decoder(Model(network), sequences: prompts.count, recurrence: recurrence)
    try Generator(decoder, tokenizer, endings).run(prompts) { continuation in
      if continuation.reason == .interrupted { return }
      ended(continuation.number, try tokenizer.decodeText(continuation.made))
    }
  }
}
