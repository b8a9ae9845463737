import ArgumentParser
import ByteIO
import ModelGraph
import Models
import Scoring
import Training
import Transformer
import Verification

/// How much of a text the state's stability is measured on.
struct StabilityOptions: ParsableArguments {
  @Option(help: "Tokens per window of the text of --stability.") var sequenceLength = 128

  @Option(help: "At most this many windows of it.") var windows = 2

  func validate() throws {
    guard (2...1 << 20).contains(sequenceLength), windows >= 1 else {
      throw ValidationError("--sequence-length must be from 2 to 1048576, --windows at least 1.")
    }
  }

  /// The windows of the text in the file `data`; none where no text is given.
  func texts(_ data: String?, _ opened: OpenedModel) throws -> [StabilityMeter.Text] {
    guard let data else { return [] }
    guard sequenceLength <= opened.graph.contextLimit else {
      throw TransformerError(
        .contextTooLong(length: sequenceLength, limit: opened.graph.contextLimit))
    }
    let found = try TokenWindows(
      data, by: opened.tokenizer(), length: sequenceLength, count: windows, date: nil)
    let texts = try found.windows.map { window in
      StabilityMeter.Text(
        try Batch(
          tokens: window.tokens, sequences: 1, firstVisible: window.firstVisible),
        labels: window.labels)
    }
    guard texts.contains(where: { $0.labels.contains { $0 >= 0 } }) else {
      throw UsageError(
        "\(data) has fewer than \(sequenceLength) tokens, or none that are learned",
        hint: "give more text, or a smaller --sequence-length")
    }
    return texts
  }
}
