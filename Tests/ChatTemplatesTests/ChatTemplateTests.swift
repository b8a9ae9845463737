import ByteIO
import ChatTemplates
import Foundation
import JSON
import TestSupport
import Testing

/// Templates, conversations and texts of `fixtures/chat/templates.json`, written by
/// `Scripts/make_chat_template_fixtures.py`.
@Suite("Chat template")
struct ChatTemplateTests {
  static func fixture() throws -> JSONValue {
    try JSONValue(
      parsing: Array(Data(contentsOf: URL(filePath: Fixtures.path("chat/templates.json")))))
  }

  @Test(
    "TK-13: makes the reference's text of every conversation, or refuses it",
    arguments: [
      "chatml", "smollm2", "llama2", "llama3", "qwen2.5", "mistral", "olmo2", "whitespace",
      "expressions",
    ])
  func renders(name: String) throws {
    let fixture = try Self.fixture()
    let template = try ChatTemplate(#require(fixture["templates"]?[name]?.string))
    let cases = try #require(fixture["cases"]?.array).filter { $0["template"]?.string == name }
    #expect(cases.count == 8)
    for sample in cases {
      let variables = try #require(sample["variables"]?.object)
      if let text = sample["text"]?.string {
        #expect(try template.render(variables: variables) == text)
      } else {
        let error = #expect(throws: ChatTemplateError.self) {
          try template.render(variables: variables)
        }
        #expect(error?.code == "template.raised")
      }
    }
  }

  @Test(
    "TK-13: what goes wrong has a name",
    arguments: [
      ("refused", ["template.unsupported"]), ("malformed", ["template.syntax"]),
      ("failing", ["template.failed", "template.raised", "template.limit"]),
    ])
  func errors(kind: String, codes: [String]) throws {
    for source in try #require(Self.fixture()[kind]?.array) {
      let source = try #require(source.string)
      let error = #expect(throws: ChatTemplateError.self, "\(source)") {
        try ChatTemplate(source).render(variables: [:])
      }
      #expect(codes.contains(error?.code ?? ""), "\(source)")
    }
  }

  @Test("an error names its line")
  func line() throws {
    #expect(
      throws: ChatTemplateError(.syntax(wanted: "an expression", found: "%}"), line: 3)
    ) { try ChatTemplate("a\n{% if b %}\n{% elif %}c{% endif %}") }
    let template = try ChatTemplate("a\n\n{{ raise_exception('no') }}")
    #expect(throws: ChatTemplateError(.raised("no"), line: 3)) {
      try template.render(variables: [:])
    }
  }

  /// A template that asks for too much.
  struct Excess: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var source: String
    var code = "template.limit"
  }

  static let excesses: [Excess] = [
    .init(testDescription: "nested ifs", source: String(repeating: "{% if 1 %}", count: 60)),
    .init(
      testDescription: "nested brackets",
      source: "{{ " + String(repeating: "(", count: 100_000) + "1 }}"),
    .init(
      testDescription: "many nots",
      source: "{{ " + String(repeating: "not ", count: 100_000) + "1 }}"),
    .init(
      testDescription: "a long sum", source: "{{ 1" + String(repeating: " + 1", count: 5000) + " }}"
    ),
    .init(testDescription: "a long string", source: "{{ 'x' * 9999999999 }}"),
    .init(
      testDescription: "loops in loops",
      source: "{% set l = range(100000) %}{% for a in l %}{% for b in l %}{% endfor %}{% endfor %}"
    ),
    .init(
      testDescription: "a sum of 64 bits", source: "{{ 9223372036854775807 + 1 }}",
      code: "template.failed"),
    .init(
      testDescription: "a quotient of 64 bits", source: "{{ (-9223372036854775807 - 1) // -1 }}",
      code: "template.failed"),
    .init(
      testDescription: "a huge number", source: "{{ 99999999999999999999 }}",
      code: "template.syntax"),
  ]

  @Test("limits stop what would not end", arguments: excesses)
  func limits(sample: Excess) throws {
    let error = #expect(throws: ChatTemplateError.self) {
      try ChatTemplate(sample.source).render(variables: [:])
    }
    #expect(error?.code == sample.code)
  }
}
