package import ByteIO
import ChatTemplates
import Checkpoint
import JSON
import ModelGraph
package import Models
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
    var streams: [(stream: any TokenStream, weight: Double)] = []
    for source in settings.data.sources {
      let (path, weight) = try Self.split(source)
      let stream = try open(path)
      if settings.data.attention == .document, !stream.marksDocuments {
        throw DataError(.noBorders, stream.path)
      }
      streams.append((stream, weight))
    }
    return try Dataset(
      streams, sequenceLength: settings.sequenceLength, heldOut: settings.data.heldOut,
      seed: settings.seed, epochLimit: settings.data.epochs, vocabulary: vocabulary)
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

  private mutating func open(_ path: String) throws -> any TokenStream {
    let format = settings.data.format
    let kind = format == "auto" ? nil : DataKind(rawValue: format)
    guard kind != nil || format == "auto" else { throw DataError(.unknownFormat(format), path) }
    let files = try DataFiles(path, kind: kind)
    warnings += files.warnings
    if files.areTokens {
      let parts = try files.files.map { try tokenIDs($0) }
      return parts.count == 1 ? parts[0] : JoinedTokens(parts, path: path)
    }
    var text = TextFormat(kind ?? .text)
    text.splitsAtBlankLines = settings.data.splitsAtBlankLines
    text.fields = settings.data.fields
    let request = TokenCache.Request(
      path: path, files: files.files, format: text, encoder: try encoder(for: path),
      vocabulary: vocabulary, skipsBadRecords: settings.data.skipsBadRecords)
    let tokens = try cache.tokens(of: request) { observer.tokenising(path, $0) }
    skipped += tokens.skippedCount
    return tokens
  }

  private func tokenIDs(_ file: DataFiles.File) throws -> any TokenStream {
    if file.kind == .tokens { return try CachedTokens(file.path) }
    let tokens = try TokenFile(
      file.path, file.kind, vocabulary: vocabulary, ending: endToken)
    try tokens.check(vocabulary: vocabulary)
    return tokens
  }

  private func encoder(for path: String) throws -> TextEncoder {
    let checkpoint = model.checkpoint
    guard let tokenizer = try Tokenizer(of: checkpoint) else { throw DataError(.noTokenizer, path) }
    let ending = endToken
    return TextEncoder(
      opening: try tokenizer.encode("", addSpecialTokens: true).filter { $0 != ending },
      ending: ending, identity: try Self.identity(of: checkpoint), chat: try chat(tokenizer),
      encode: { try tokenizer.encode($0) })
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

  /// The model's end-of-text token; nil when its configuration names none.
  private var endToken: Int32? {
    let config = model.graph.config["eos_token_id"] ?? model.checkpoint.config?["eos_token_id"]
    let id = config?.integer ?? config?.array?.first?.integer
    return id.flatMap { Int32(exactly: $0) }
  }

  private static func identity(of checkpoint: Checkpoint) throws -> Digest {
    var description: [JSONValue] = []
    for file in checkpoint.sideFiles where Tokenizer.fileNames.contains(file.name) {
      let digest = SHA256.digest(of: try file.region.bytes(0..<file.region.byteCount))
      description += [.string(file.name), .string(digest.description)]
    }
    if !description.isEmpty {
      return SHA256.digest(of: Array(JSONValue.array(description).text().utf8))
    }
    let members = checkpoint.metadata?.members.filter { $0.key.hasPrefix("tokenizer.") } ?? []
    return SHA256.digest(of: Array(JSONValue.object(JSONObject(members)).text().utf8))
  }
}
