import JSON
import Testing
import Training

@testable import Scoring

@Suite("the number an answer comes to")
struct FinalNumberTests {
  static let samples: [(String, Double?)] = [
    ("It is 7, so 12.", 12), ("#### 1,234", 1234), ("so 5\n#### $18.50\nQuestion: 3", 18.5),
    ("-4", -4), ("7-3", 3), ("x = -0.5.", -0.5), ("costs $-2", -2), ("about .5", 0.5),
    ("1.2.3", 0.3), ("none", nil), ("", nil), ("a####", nil), ("12####", 12),
    ("is \u{2212}5", -5), ("7\u{2212}3", 3), ("\u{2212}$2.50", -2.5), ("#### \u{2212}1,000", -1000),
  ]

  @Test("is the last, or the first after ####", arguments: samples)
  func finds(_ sample: (String, Double?)) {
    #expect(finalNumber(sample.0) == sample.1, "\(sample.0)")
  }
}

@Suite("prompt templates")
struct PromptTemplateTests {
  private func record(_ text: String) throws -> EvalRecord {
    EvalRecord(
      path: "x", place: .line(1), line: 1,
      fields: try #require(JSONValue(parsing: Array(text.utf8)).object))
  }

  @Test("fields, line breaks and braces are written out")
  func renders() throws {
    let template = try #require(PromptTemplate(#"Q: {q}\n{{{n}}}"#))
    #expect(try template.text(record(#"{"q": "why", "n": 3}"#)) == "Q: why\n{3}")
    #expect(template.opening == "Q:")
  }

  @Test("open and stray braces are refused", arguments: ["{q", "q}", "{}", "a{"])
  func refuses(_ text: String) { #expect(PromptTemplate(text) == nil) }
}
