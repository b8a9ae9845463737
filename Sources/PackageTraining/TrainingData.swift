package import ByteIO
import ChatTemplates
import Checkpoint
import JSON
import ModelGraph
package import Models
package import Scoring
import Tokenizers
package import Training

/// Opens the sources of a run as rows of tokens.
package struct TrainingData {
  package let settings: TrainingSettings
  package let model: OpenedModel
  package let cache: TokenCache
  package let observer: any RunObserver

  /// Bad records that were left out, of all sources.
  package private(set) var skipped = 0
  /// What the user should know of the files.
  package private(set) var warnings: [Warning] = []

  package init(
    _ settings: TrainingSettings, for model: OpenedModel, cache: TokenCache,
    observer: any RunObserver
  ) {
    self.settings = settings
    self.model = model
    self.cache = cache
    self.observer = observer
  }

  package mutating func dataset() throws -> Dataset {
    var sources: [(rows: any SourceRows, weight: Double)] = []
    for (number, source) in settings.data.sources.enumerated() {
      let (path, weight) = try Self.split(source)
      sources.append((try rows(of: path, number), weight))
    }
    return Dataset(
      sources, sequenceLength: settings.sequenceLength, seed: settings.seed,
      vocabulary: vocabulary)
  }

  /// The documents of `evaluation.questions`, read as the sources are; nil where it names none.
  package func questions() throws -> DocumentScoring? {
    let path = settings.evaluation.questions
    if path.isEmpty { return nil }
    return try DocumentScoring(
      path, encoder(for: path), for: model.graph, fields: settings.data.fields,
      batchSize: settings.effectiveMicroBatchSize)
  }

  /// The rows of source `number`.
  private mutating func rows(of path: String, _ number: Int) throws -> any SourceRows {
    let format = settings.data.format
    let kind = format == "auto" ? nil : DataKind(rawValue: format)
    guard kind != nil || format == "auto" else { throw DataError(.unknownFormat(format), path) }
    let files = try DataFiles(path, kind: kind)
    warnings += files.warnings
    if settings.data.isStreamed, !files.areTokens {
      return StreamedRows(
        try StreamPlan(
          request(files, kind), number: number, sequenceLength: settings.sequenceLength,
          heldOut: settings.data.heldOut, seed: settings.seed, epochLimit: settings.data.epochs,
          buffer: settings.data.shuffleBuffer))
    }
    let stream = try stored(files, kind)
    if settings.data.attention == .document, !stream.marksDocuments {
      throw DataError(.noBorders, stream.path)
    }
    return try StoredRows(
      stream, number: number, sequenceLength: settings.sequenceLength,
      heldOut: settings.data.heldOut, seed: settings.seed, epochLimit: settings.data.epochs)
  }

  private var vocabulary: Int { model.graph.sizes.vocabulary }

  /// `PATH:WEIGHT`; a path that exists as it stands has weight 1.
  package static func split(_ source: String) throws -> (path: String, weight: Double) {
    guard try pathKind(source) == nil, let colon = source.lastIndex(of: ":") else {
      return (source, 1)
    }
    let text = String(source[source.index(after: colon)...])
    guard let weight = Double(text), weight > 0, weight.isFinite else {
      throw DataError(.badWeight(text), source)
    }
    return (String(source[..<colon]), weight)
  }

  private mutating func stored(_ files: DataFiles, _ kind: DataKind?) throws -> any TokenStream {
    if files.areTokens {
      let parts = try files.files.map { try tokenIDs($0) }
      return parts.count == 1 ? parts[0] : JoinedTokens(parts, path: files.path)
    }
    let tokens = try cache.tokens(of: request(files, kind)) {
      observer.tokenising(files.path, $0)
    }
    skipped += tokens.skippedCount
    return tokens
  }

  private func request(_ files: DataFiles, _ kind: DataKind?) throws -> TokenCache.Request {
    var text = TextFormat(kind ?? .text)
    text.splitsAtBlankLines = settings.data.splitsAtBlankLines
    text.fields = settings.data.fields
    return TokenCache.Request(
      path: files.path, files: files.files, format: text, encoder: try encoder(for: files.path),
      vocabulary: vocabulary, skipsBadRecords: settings.data.skipsBadRecords)
  }

  private func tokenIDs(_ file: DataFiles.File) throws -> any TokenStream {
    if file.kind == .tokens { return try CachedTokens(file.path) }
    let tokens = try TokenFile(
      file.path, file.kind, vocabulary: vocabulary, ending: model.endToken)
    try tokens.check(vocabulary: vocabulary)
    return tokens
  }

  private func encoder(for path: String) throws -> TextEncoder {
    guard let encoder = try model.textEncoder(chat: chat) else {
      throw DataError(.noTokenizer, path)
    }
    return encoder
  }

  private func chat(_ tokenizer: Tokenizer) throws -> TextEncoder.Chat? {
    let choice = settings.data.chatTemplate
    var source = tokenizer.chatTemplate
    if choice != "model" {
      source = String(
        decoding: try ByteRegion(path: choice).contents(limit: 1 << 20), as: UTF8.self)
    }
    guard let source else { return nil }
    let text = settings.data.date
    let date = TemplateDate(text)
    guard text.isEmpty || date != nil else {
      throw TrainingError(
        .badSetting(key: "data.date", value: text, allowed: "a day such as 2026-11-29"))
    }
    return try TextEncoder.Chat(source, tokenizer, date: date)
  }
}
