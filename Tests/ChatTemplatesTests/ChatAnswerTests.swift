import JSON
import TestSupport
import Testing

@testable import ChatTemplates

/// What of a conversation's text the assistant wrote, held against texts written by hand.
@Suite("answers in chat templates")
struct ChatAnswerTests {
  private static let chatML =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    + "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

  private static func turns(_ turns: (String, String)...) -> [JSONValue] {
    turns.map { ["role": .string($0.0), "content": .string($0.1)] }
  }

  private static func parts(
    _ source: String, _ messages: [JSONValue], specials: [String] = [],
    variables: JSONObject = [:]
  ) throws -> [String] {
    let text = try ChatTemplate(source).answers(
      of: messages, variables: variables, specials: specials.map { Array($0.utf8) })
    return text.parts.map { (part) -> String in
      let text = String(decoding: part.bytes, as: UTF8.self)
      return part.isAnswer ? "[\(text)]" : text
    }
  }

  @Test("an answer goes to the special token that closes it")
  func closed() throws {
    let messages = Self.turns(
      ("user", "Hi"), ("assistant", "Hello\nthere"), ("user", "assistant"), ("assistant", ""))
    let parts = try Self.parts(
      Self.chatML, messages, specials: ["<|im_start|>", "<|im_end|>", "<|im"])
    #expect(
      parts == [
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "[Hello\nthere<|im_end|>]",
        "\n<|im_start|>user\nassistant<|im_end|>\n<|im_start|>assistant\n", "[<|im_end|>]", "\n",
      ])
    let text = try ChatTemplate(Self.chatML).render(messages: messages, addGenerationPrompt: false)
    let joined = parts.map { $0.hasPrefix("[") ? String($0.dropFirst().dropLast()) : $0 }
    #expect(joined.joined() == text)
  }

  @Test("an answer that the template trims, and an end that no token closes")
  func trimmed() throws {
    let source =
      "{% for m in messages %}{% if m.role == 'assistant' %}A: {{ m.content | trim }}\n"
      + "{% else %}Q: {{ m.content }}\n{% endif %}{% endfor %}"
    let messages = Self.turns(
      ("user", "1"), ("assistant", "  one "), ("user", "2"), ("assistant", "two "))
    let text = try ChatTemplate(source).answers(of: messages, variables: [:], specials: [])
    #expect(
      text.parts.map { String(decoding: $0.bytes, as: UTF8.self) }
        == ["Q: 1\nA: ", "one", "\nQ: 2\nA: ", "two", "\n"])
    #expect(text.parts.map(\.isAnswer) == [false, true, false, true, false])
    #expect(text.endsOpen)
  }

  @Test("a template that drops old reasoning")
  func reasoning() throws {
    let source =
      "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and not loop.last %}"
      + "{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}<end>{% endfor %}"
    let messages = Self.turns(
      ("user", "a"), ("assistant", "<think>x</think>b"), ("user", "c"),
      ("assistant", "<think>y</think>d"))
    #expect(
      try Self.parts(source, messages, specials: ["<end>"]) == [
        "<user>a<end><assistant>", "[b<end>]", "<user>c<end><assistant>",
        "[<think>y</think>d<end>]",
      ])
  }

  @Test("the marks of a template decide, and tools reach it")
  func marked() throws {
    let source =
      "{{ tools | length }}{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}"
      + "{% generation %}{{ m.content }}<end>\n{% endgeneration %}{% else %}{{ m.content }}{% endif %}"
      + "{% endfor %}"
    let messages = Self.turns(("user", "a"), ("assistant", "b"))
    #expect(
      try Self.parts(source, messages, variables: ["tools": [1, 2]]) == [
        "2<user>a<assistant>", "[b<end>\n]",
      ])
  }

  @Test("a template that changes an answer beyond recognition is an error")
  func unrecognisable() throws {
    let source =
      "{% if messages[1].content | length > 9 %}long{% endif %}"
      + "{% for m in messages %}|{{ m.content }}{% endfor %}"
    let error = #expect(throws: ChatTemplateError.self) {
      try Self.parts(source, Self.turns(("user", "a"), ("assistant", "0123456789")))
    }
    #expect(error?.problem == .answerNotFound(number: 1))
  }
}
