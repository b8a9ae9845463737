package import ByteIO
package import Checkpoint
import JSON
import Yams

/// The licence of a source model, and what it asks of those who share a model made of it.
package struct SourceLicense: Equatable, Sendable {
  /// The hub's identifier, such as `apache-2.0`; `other` with a name of its own.
  package var id: String
  /// Further lines of a card's front matter, such as `license_name: …`, as the source has them.
  package var details: [String] = []
  /// Words that the licence wants shown wherever the model is.
  package var notice: String? { Self.notices.first { id.hasPrefix($0.id) }?.notice }

  /// From version 3 on, Meta's licences ask for a notice, and a name that starts with Llama.
  private static let notices = [
    (id: "llama3.", notice: "Built with Llama"), (id: "llama4", notice: "Built with Llama"),
    (id: "llama3", notice: "Built with Meta Llama 3"),
  ]

  /// The licence that the source's card states, or its GGUF metadata, or the one whose text it
  /// carries; nil when there is none of these.
  package init?(of checkpoint: Checkpoint) throws(FileError) {
    if let stated = try Self.card(checkpoint) {
      self = stated
      return
    }
    let stated = checkpoint.metadata?["general.license"]?.string
    let id = if let stated { stated } else { try Self.text(checkpoint) }
    guard let id else { return nil }
    self.id = id
  }

  private init(id: String, details: [String]) {
    self.id = id
    self.details = details
  }

  /// What the front matter of the source's README.md, which is YAML, says.
  private static func card(_ checkpoint: Checkpoint) throws(FileError) -> SourceLicense? {
    guard let text = try start(checkpoint, { $0 == "README.md" }) else { return nil }
    let lines = text.drop { $0 == "\u{FEFF}" }
      .split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    guard lines.first == "---", let end = lines.dropFirst().firstIndex(of: "---"),
      let matter = try? Yams.compose(yaml: lines[1..<end].joined(separator: "\n"))?.mapping
    else { return nil }
    let stated = matter["license"].map { $0.sequence?.compactMap(\.string) ?? [$0.string ?? ""] }
    guard let id = stated?.first, !id.isEmpty else { return nil }
    return SourceLicense(
      id: id,
      details: ["license_name", "license_link"].compactMap { key in
        guard let value = matter[key]?.string,
          let line = try? Yams.serialize(node: [Node(key): Node(value)])
        else { return nil }
        return line.trimmingSuffix(while: \.isNewline)
      })
  }

  /// What the title of a licence file says.
  private static func text(_ checkpoint: Checkpoint) throws(FileError) -> String? {
    guard
      let text = try start(
        checkpoint,
        {
          $0.uppercased().hasPrefix("LICEN") || $0.uppercased().hasPrefix("COPYING")
        })?.prefix(2000).uppercased()
    else { return nil }
    let titles = [
      ("LLAMA 4 COMMUNITY LICENSE", "llama4"), ("LLAMA 3.3 COMMUNITY LICENSE", "llama3.3"),
      ("LLAMA 3.2 COMMUNITY LICENSE", "llama3.2"), ("LLAMA 3.1 COMMUNITY LICENSE", "llama3.1"),
      ("LLAMA 3 COMMUNITY LICENSE", "llama3"), ("LLAMA 2 COMMUNITY LICENSE", "llama2"),
      ("APACHE LICENSE", "apache-2.0"), ("MIT LICENSE", "mit"),
    ]
    return titles.first { text.contains($0.0) }?.1
  }

  /// The first bytes of the first side file whose name fits, as text.
  private static func start(
    _ checkpoint: Checkpoint, _ fits: (String) -> Bool
  ) throws(FileError) -> String? {
    guard let file = checkpoint.sideFiles.first(where: { fits($0.name) }) else { return nil }
    let bytes = try file.region.bytes(0..<min(file.region.byteCount, 1 << 16))
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension String {
  fileprivate func trimmingSuffix(while isDropped: (Character) -> Bool) -> String {
    var text = self[...]
    while let last = text.last, isDropped(last) { text.removeLast() }
    return String(text)
  }
}
