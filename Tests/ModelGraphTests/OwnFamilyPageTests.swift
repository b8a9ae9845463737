import Foundation
import TestSupport
import Testing

/// docs/own-family.md, against the code that it shows.
@Suite("the page on own families")
struct OwnFamilyPageTests {
  private func text(_ path: String) throws -> String {
    try String(contentsOfFile: Fixtures.folder + "/../" + path, encoding: .utf8)
  }

  @Test("its example is the code")
  func example() throws {
    let page = try text("docs/own-family.md")
    let parts = page.components(separatedBy: "```swift\n")
    try #require(parts.count == 2)
    let example = try #require(parts[1].components(separatedBy: "```").first)
    let indented = example.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n")
    #expect(try text("Sources/ModelGraph/Families/SmolLM3.swift").contains(indented))
  }

  @Test("its table has every part of a family")
  func parts() throws {
    let page = try text("docs/own-family.md")
    let source = try text("Sources/ModelGraph/Families/Family.swift")
    let names = source.split(separator: "\n").compactMap { line -> Substring? in
      guard line.hasPrefix("  var ") else { return nil }
      return line.dropFirst(6).prefix { $0.isLetter }
    }
    #expect(names.count > 12)
    for name in names { #expect(page.contains("`\(name)`"), "\(name)") }
  }

  @Test("a family is a file of less than 80 lines", arguments: ["Huginn", "Ouro", "SmolLM3"])
  func length(_ name: String) throws {
    let lines = try text("Sources/ModelGraph/Families/\(name).swift").split(
      separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count < 80)
  }
}
