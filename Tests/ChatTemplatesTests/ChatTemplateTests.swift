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
      "expressions", "macros", "dates",
    ])
  func renders(name: String) throws {
    let fixture = try Self.fixture()
    var date = TemplateDate(year: 2026, month: 3, day: 7)
    (date.hour, date.minute, date.second) = (14, 5, 9)
    let template = try ChatTemplate(#require(fixture["templates"]?[name]?.string), date: date)
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

  @Test("long texts and conversations stay within the limits")
  func room() throws {
    let words = String(repeating: "some words of a long answer ", count: 40_000)
    let messages: [JSONValue] = (0..<1000).map { i in
      let text = i == 500 ? words : "message \(i)"
      return ["role": .string(i % 2 == 0 ? "user" : "assistant"), "content": .string(text)]
    }
    let template = try ChatTemplate(
      "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{% if 'x' in m.content %}{% endif %}"
        + "{{ m.content.split('</think>')[-1].lstrip('\\n') | length }}{% endfor %}{{ messages | tojson }}"
    )
    let text = try template.render(messages: messages, addGenerationPrompt: false)
    #expect(text.utf8.count > 2 * words.utf8.count)
    #expect(try ChatTemplate("{{ [1] | tojson(indent=-1) }}").render(variables: [:]) == "[\n1\n]")
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
      testDescription: "spaces of JSON", source: "{{ [1] | tojson(indent=9223372036854775807) }}"),
    .init(
      testDescription: "a list in a list in a list",
      source:
        "{% set n = namespace(l=[]) %}{% for i in range(100000) %}{% set n.l = [n.l] %}{% endfor %}"
    ),
    .init(
      testDescription: "a mapping in a mapping",
      source:
        "{% set n = namespace(l={}) %}{% for i in range(9999) %}{% set n.l = {'a': n.l} %}{% endfor %}"
    ),
    .init(testDescription: "a doubled list printed", source: doubled + "{{ n.l }}"),
    .init(testDescription: "a doubled list as JSON", source: doubled + "{{ n.l | tojson }}"),
    .init(testDescription: "a doubled list compared", source: doubled + "{{ n.l == n.m }}"),
    .init(testDescription: "a doubled list looked for", source: doubled + "{{ n.l in [n.m] }}"),
    .init(
      testDescription: "a doubled list sorted out", source: doubled + "{{ [n.l, n.m] | unique }}"),
    .init(
      testDescription: "a doubled list joined", source: doubled + "{{ [n.l, n.l] | join(',') }}"),
    .init(testDescription: "a doubled list concatenated", source: doubled + "{{ n.l ~ '' }}"),
    .init(
      testDescription: "a long separator",
      source: "{% set s = 'x' * 1000000 %}{{ range(100000) | join(s) }}"),
    .init(
      testDescription: "a long replacement",
      source: "{% set s = 'x' * 1000000 %}{{ s | replace('x', s) }}"),
    .init(
      testDescription: "a long replacement by the method",
      source: "{% set s = 'x' * 1000000 %}{{ s.replace('x', s) }}"),
    .init(
      testDescription: "wide indentation",
      source: "{% set s = '\\n' * 1000000 %}{{ s | indent(1000) }}"),
    .init(
      testDescription: "search upon search",
      source: "{% set l = range(100000) | list %}{% for i in l %}{{ -1 in l }}{% endfor %}"),
    .init(
      testDescription: "characters by index",
      source: "{% set s = 'x' * 1000000 %}{% for i in range(100000) %}{{ s[i] }}{% endfor %}"),
    .init(
      testDescription: "slices of slices",
      source: "{% set l = range(100000) | list %}{% for i in l %}{% set x = l[1:] %}{% endfor %}"),
    .init(
      testDescription: "a macro that calls itself",
      source: "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
    .init(
      testDescription: "macros that double",
      source: "{% macro m(n) %}{% if n > 0 %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
        + "{{ m(40) }}"),
    .init(
      testDescription: "texts that double",
      source: "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}"
        + "{% endfor %}"),
    .init(
      testDescription: "upper case of long texts",
      source:
        "{% set s = 'é' * 1000000 %}{% for i in range(1000) %}{% set x = s | upper %}{% endfor %}"
    ),
    .init(
      testDescription: "a huge number", source: "{{ 99999999999999999999 }}",
      code: "template.syntax"),
  ]

  /// Two lists of 2⁶⁰ elements.
  private static let doubled =
    "{% set n = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}"
    + "{% set n.m = [n.m, n.m] %}{% endfor %}"

  @Test("limits stop what would not end", .timeLimit(.minutes(1)), arguments: excesses)
  func limits(sample: Excess) throws {
    let error = #expect(throws: ChatTemplateError.self) {
      try ChatTemplate(sample.source).render(variables: [:])
    }
    #expect(error?.code == sample.code)
  }
}
