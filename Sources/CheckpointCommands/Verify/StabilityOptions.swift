import ArgumentParser
import ByteIO
import ModelGraph
import Models
import Scoring
import Training
import Transformer
import Verification

/// The text on which the state's stability is measured.
struct StabilityOptions: ParsableArguments {
  @Option(
    name: .customLong("stability"),
    help: "File of text or records on which to follow the state to r = 64.", completion: .file())
  var data: String?

  @Option(help: "Tokens of each window of that text.") var sequenceLength = 128

  @Option(help: "Most windows of that text.") var windows = 2

  func validate() throws {
    guard (2...1 << 20).contains(sequenceLength), windows >= 1 else {
      throw ValidationError("--sequence-length is from 2 to 1048576, --windows is at least 1.")
    }
  }

  /// The windows; none where no text is given.
  func texts(_ opened: OpenedModel) throws -> [StabilityMeter.Text] {
    guard let data else { return [] }
    guard sequenceLength <= opened.graph.sizes.context else {
      throw TransformerError(
        .contextTooLong(length: sequenceLength, limit: opened.graph.sizes.context))
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
