import Testing

@testable import Tokenizers

/// Expressions that no scanner is made for. That they match what the reference matches is shown by the
/// tokens of `TokenizersTests`.
@Suite("splitting expressions")
struct SplitExpressionTests {
  @Test(
    "TK-11: what is outside the grammar is refused, never approximated",
    arguments: [
      "", "a|", "a*", "a?|b", "$", "(?!a)", "(?i:k)", "(?i:[a-z])", "(?i:)", "(?:a+)", "(?:a|)",
      "(a)",
      "(?=a)b", "[a[b]]", "[a&&b]", "[a-]", "[-a]", "[z-a]", "[]", "[a", "a+?", "a??", "a{2}+",
      "a+++",
      "a{2}{3}", "a{,3}", "a{3,2}", "a{0}", "a{1001}", "a{", ".", "^a", "a)", #"\d+"#, #"\p{Han}"#,
      #"\P{L}"#, #"\p{^L}"#, #"[\w]"#, #"\u0061"#, #"\1"#, #"a\"#,
      String(repeating: "a", count: 33),
    ])
  func refused(text: String) {
    #expect(SplitExpressionParser.parse(text) == nil)
  }

  /// Where the first match in `text` ends; nil when none starts at its beginning.
  private func end(_ expression: String, _ text: String) -> Int? {
    var work = 1000
    return SplitExpressionParser.parse(expression)?
      .end(in: Array(text.utf8).span, from: 0, work: &work)
  }

  @Test("alternatives come in order, and parts give back what the rest needs")
  func matches() {
    #expect(end("a|ab", "ab") == 1)
    #expect(end("a{2,3}", "aaaa") == 3)
    #expect(end("a*ab", "aaab") == 4)
    #expect(end("a*+ab", "aaab") == nil)
    #expect(end(#"\s+(?!\S)"#, "   x") == 2)
    #expect(end(#"\s+$"#, " \u{85}\nx") == 3)
    #expect(end("(?i:'s|'t)?x", "'Sx") == 3)
    #expect(end("(?i:'s)", "'\u{17F}") == 3)
    #expect(end(#"\p{S}"#, "$") == 1)
    #expect(end(#"\p{S}"#, "%") == nil)
    #expect(end(#"\p{P}"#, "%") == 1)
  }

  @Test("TK-17: an expression that looks at a run again from each of its places")
  func work() throws {
    let tokenizer = try Sample.tokenizer("deepseek")
    let text = String(repeating: " ", count: 300_000) + "\u{4E00}"
    let error = #expect(throws: TokenizerError.self) { try tokenizer.encode(text) }
    #expect(error?.code == "tokenizer.limit")
    #expect(try !tokenizer.encode(String(repeating: " ", count: 3000) + "\u{4E00}").isEmpty)
  }
}
