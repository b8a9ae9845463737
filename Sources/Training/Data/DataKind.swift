/// What a file of training data holds.
package enum DataKind: String, CaseIterable, Sendable {
  /// Plain text; the whole file is one document, or each part between blank lines.
  case text
  /// One JSON object a line.
  case jsonl
  /// A JSON array of objects.
  case json
  /// Comma-separated values (RFC 4180) after a line of names.
  case csv
  /// The same with tabs.
  case tsv
  case parquet
  /// Arrow's IPC format, file or stream.
  case arrow
  /// A tar archive whose members belong together by the first part of their names (WebDataset).
  case tar
  /// A shard of MosaicML's streaming format.
  case mds
  /// A file of the token cache.
  case tokens
  /// A NumPy array of token ids.
  case npy
  /// Bare token ids.
  case bin
  /// Token ids after the header that llm.c and those who followed it write.
  case shard
  /// Token ids beside an index of documents, as Megatron-LM writes them.
  case megatron

  /// Whether the file holds token ids, not documents.
  package var isTokens: Bool {
    switch self {
    case .tokens, .npy, .bin, .shard, .megatron: true
    default: false
    }
  }

  /// Whether documents are records with fields.
  package var isRecords: Bool { !isTokens && self != .text }

  /// For messages.
  var description: String {
    switch self {
    case .text: "plain text"
    case .jsonl: "JSON lines"
    case .json: "a JSON array"
    case .csv: "comma-separated values"
    case .tsv: "tab-separated values"
    case .parquet: "a Parquet file"
    case .arrow: "an Arrow file"
    case .tar: "a tar archive"
    case .mds: "an MDS shard"
    case .tokens: "a file of the token cache"
    case .npy: "a NumPy array"
    case .bin: "bare token ids"
    case .shard: "a shard of token ids"
    case .megatron: "Megatron's token ids"
    }
  }

  /// What a name says, whatever compressed the file; nil when it says nothing.
  package init?(name path: String) {
    var name = path.lowercased()
    for suffix in [".gz", ".zst", ".zstd", ".xz", ".bz2", ".lz4"] where name.hasSuffix(suffix) {
      name.removeLast(suffix.count)
    }
    let known: [(String, DataKind)] = [
      (".jsonl", .jsonl), (".ndjson", .jsonl), (".json", .json), (".csv", .csv), (".tsv", .tsv),
      (".parquet", .parquet), (".arrow", .arrow), (".arrows", .arrow), (".feather", .arrow),
      (".tar", .tar), (".mds", .mds), (".tokens", .tokens), (".npy", .npy), (".bin", .bin),
      (".idx", .megatron), (".txt", .text), (".text", .text), (".md", .text),
    ]
    guard let kind = known.first(where: { name.hasSuffix($0.0) }) else { return nil }
    self = kind.1
  }
}
