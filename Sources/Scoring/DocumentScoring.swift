import ByteIO
package import ChatTemplates
package import ModelGraph
package import Models
import Tokenizers
package import Training
package import Transformer

/// Scores what is learned of each document, such as a completion after its prompt: how likely it is,
/// and whether greedy decoding would say all of it.
///
/// One pass over the document tells both: the first token that is not the most likely one is where
/// greedy decoding would leave it.
package struct DocumentScoring {
  private struct Document {
    let place: Int
    let tokens: [Int32]
    /// The token that follows each; -100 is not learned.
    let labels: [Int32]
  }

  private let documents: [Document]
  /// Documents that run together.
  package let batchSize: Int

  package var count: Int { documents.count }

  /// Reads the documents of a file of records as training reads them.
  ///
  /// - Parameters:
  ///   - graph: Of the model whose tokens they become.
  ///   - fields: Keys of a record.
  /// - Throws: `DataError` for a bad record, and for one that nothing is learned of.
  package init(
    _ path: String, _ encoder: TextEncoder, for graph: ModelGraph,
    fields: TextFormat.Fields = .init(), limit: Int? = nil, batchSize: Int
  ) throws {
    let kind = try DataSniffer(path).kind
    guard kind.isRecords else { throw DataError(.notRecords(kind), path) }
    let context = graph.contextLimit
    var format = TextFormat(kind)
    format.fields = fields
    var reader = try DocumentReader(path, format: format, chat: encoder.chat)
    var documents: [Document] = []
    while documents.count < limit ?? .max, let piece = try reader.next() {
      let marked = try encoder.tokens(of: piece, in: path, vocabulary: graph.sizes.vocabulary)
      guard marked.count <= context else {
        throw DataError(.promptLength(tokens: marked.count, context: context), path, piece.place)
      }
      let ids = marked.map { Int32(bitPattern: $0 & TokenMark.id) }
      let labels = zip(marked.dropFirst(), ids.dropFirst()).map { mark, id in
        mark & TokenMark.notLearned == 0 ? id : -100
      }
      guard labels.contains(where: { $0 >= 0 }) else {
        throw DataError(.nothingLearned, path, piece.place)
      }
      documents.append(
        Document(place: documents.count, tokens: ids, labels: labels + [-100]))
    }
    guard !documents.isEmpty else { throw DataError(.empty, path) }
    // Documents of like lengths run together, so that little is filled up.
    self.documents = documents.sorted { ($0.tokens.count, $0.place) < ($1.tokens.count, $1.place) }
    self.batchSize = batchSize
  }

  /// The same with the model's own tokenizer and chat template.
  ///
  /// - Parameter date: What a chat template writes as today's date.
  package init(
    _ path: String, for model: OpenedModel, limit: Int?, batchSize: Int, date: TemplateDate? = nil
  ) throws {
    let encoder = try model.textEncoder { tokenizer in
      try tokenizer.chatTemplate.map { try TextEncoder.Chat($0, tokenizer, date: date) }
    }
    guard let encoder else { throw ModelError(model.path, .noTokenizer) }
    try self.init(path, encoder, for: model.graph, limit: limit, batchSize: batchSize)
  }

  /// Scores every document, in the file's order: `exact`, 1 where greedy decoding says all that is
  /// learned of it, else 0; `nats`, the negative log-likelihood of that; `tokens`, its length.
  ///
  /// - Parameters:
  ///   - share: Which of how many processes this is: each scores some batches, and gives nothing of
  ///     the documents of others.
  ///   - progress: Called with the number of documents of each batch that has run.
  ///   - score: Scores the labels of a batch, with those of -100 passed over.
  package func scores(
    share: (part: Int, of: Int) = (0, 1), _ progress: (Int) -> Void = { _ in },
    by score: (_ batch: Batch, _ labels: [Int32]) throws -> [LabelScore]
  ) throws -> [[String: Double]] {
    var results = [[String: Double]](repeating: [:], count: documents.count)
    for (number, start) in stride(from: 0, to: documents.count, by: batchSize).enumerated() {
      if number % share.of != share.part { continue }
      try Interruption.check()
      let part = documents[start..<min(start + batchSize, documents.count)]
      let length = part.last?.tokens.count ?? 0
      func filled(_ values: [Int32], with filler: Int32) -> [Int32] {
        values + repeatElement(filler, count: length - values.count)
      }
      let batch = try Batch(
        tokens: part.flatMap { filled($0.tokens, with: 0) }, sequences: part.count,
        firstSequence: start)
      var scores = try score(batch, part.flatMap { filled($0.labels, with: -100) })[...]
      for document in part {
        let own = scores.prefix(document.labels.count { $0 >= 0 })
        scores = scores.dropFirst(own.count)
        results[document.place] = Self.measures(own)
      }
      progress(part.count)
    }
    return results
  }

  private static func measures(_ scores: some Sequence<LabelScore>) -> [String: Double] {
    var measures = ["exact": 1.0, "nats": 0, "tokens": 0]
    for score in scores {
      if !score.isFirst { measures["exact"] = 0 }
      measures["nats", default: 0] += score.nats
      measures["tokens", default: 0] += 1
    }
    return measures
  }

  /// Scores every document as decoding meets it, token by token over the decoder's cache, with
  /// `recurrences` beside the measures above: passes through the core, on average over its tokens.
  ///
  /// - Parameters:
  ///   - decoder: With a place for each of some documents, which run together.
  ///   - exit: Lets each token leave the core early.
  ///   - seed: Of the start states.
  ///   - progress: Called with the number of documents of each batch that has run.
  package func scores(
    over decoder: Decoder, exit: ExitRule, seed: UInt64, _ progress: (Int) -> Void
  ) throws -> [[String: Double]] {
    var results = [[String: Double]](repeating: [:], count: documents.count)
    for start in stride(from: 0, to: documents.count, by: decoder.sequences) {
      let part = Array(documents[start..<min(start + decoder.sequences, documents.count)])
      var scores = [[LabelScore]](repeating: [], count: part.count)
      var passes = [Int](repeating: 0, count: part.count)
      for place in part.indices { decoder.restart(place, seed: seed) }
      // Nothing follows the last token.
      for position in 0..<(part.last?.tokens.count ?? 0) - 1 {
        try Interruption.check()
        let places = part.indices.filter { position + 1 < part[$0].tokens.count }
        let next = places.map {
          Decoder.Next(sequence: $0, token: part[$0].tokens[position])
        }
        let labels = places.map { part[$0].labels[position] }
        for (row, score) in try decoder.scores(next, labels: labels, exit: exit).enumerated() {
          if let score { scores[places[row]].append(score) }
          passes[places[row]] += decoder.depths[row]
        }
      }
      for (place, document) in part.enumerated() {
        var measures = Self.measures(scores[place])
        measures["recurrences"] = Double(passes[place]) / Double(document.tokens.count - 1)
        results[document.place] = measures
      }
      progress(part.count)
    }
    return results
  }
}
