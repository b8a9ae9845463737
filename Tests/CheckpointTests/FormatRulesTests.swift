import Foundation
import TestSupport
import Testing

@Suite("format rules")
struct FormatRulesTests {
  static let root = URL(filePath: Fixtures.folder).deletingLastPathComponent()

  static func text(in folder: String, ending: String) -> [(name: String, text: String)] {
    let files = FileManager.default.enumerator(
      at: root.appending(path: folder), includingPropertiesForKeys: nil)
    return (files?.allObjects ?? []).compactMap { file in
      guard let url = file as? URL, url.pathExtension == ending,
        let text = try? String(contentsOf: url, encoding: .utf8)
      else { return nil }
      return (url.lastPathComponent, text)
    }
  }

  @Test("every rule defined in formats/ is cited by a test")
  func cited() {
    let tests = Self.text(in: "Tests", ending: "swift").map(\.text).joined(separator: "\n")
    var cited: Set<Substring> = []
    for match in tests.matches(of: /\b[A-Z]{2}-[0-9]+\b/) { cited.insert(match.output) }
    var defined: Set<Substring> = []
    for (name, text) in Self.text(in: "formats", ending: "md") where name != "README.md" {
      for match in text.matches(of: /\*\*([A-Z]{2}-[0-9]+)\*\*/) {
        #expect(defined.insert(match.output.1).inserted, "\(match.output.1) is defined twice")
        #expect(cited.contains(match.output.1), "\(name): \(match.output.1) has no test")
      }
    }
    #expect(defined.count >= 25)
  }
}
