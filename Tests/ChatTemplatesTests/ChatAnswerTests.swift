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

  /// In the manner of Qwen 2.5: calls of tools stand as JSON behind the content.
  private static let withTools =
    "{% for m in messages %}{% if m.role == 'assistant' and m.tool_calls %}"
    + "{{ '<|im_start|>assistant' }}{% if m.content %}{{ '\n' + m.content }}{% endif %}"
    + "{% for c in m.tool_calls %}{{ '\n<call>' + c.function.name + (c.function.arguments | tojson) "
    + "+ '</call>' }}{% endfor %}{{ '<|im_end|>\n' }}{% else %}"
    + "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

  private static let toolTurns: [JSONValue] = [
    ["role": "user", "content": "Weather?"],
    [
      "role": "assistant", "content": "",
      "tool_calls": [["function": ["name": "sky", "arguments": ["place": "Zürich"]]]],
    ],
    ["role": "tool", "content": "rain"],
    ["role": "assistant", "content": "It rains."],
  ]

  @Test(
    "a call of a tool is an answer, whatever its content", arguments: ["", "Let me look.", nil])
  func toolCall(content: String?) throws {
    var turns = Self.toolTurns
    if var call = turns[1].object {
      call["content"] = content.map { .string($0) } ?? .null
      turns[1] = .object(call)
    }
    let said = content.map { $0.isEmpty ? "" : $0 + "\n" } ?? ""
    #expect(
      try Self.parts(Self.withTools, turns, specials: ["<|im_start|>", "<|im_end|>"]) == [
        "<|im_start|>user\nWeather?<|im_end|>\n<|im_start|>assistant\n",
        "[\(said)<call>sky{\"place\": \"Zürich\"}</call><|im_end|>]",
        "\n<|im_start|>tool\nrain<|im_end|>\n<|im_start|>assistant\n", "[It rains.<|im_end|>]",
        "\n",
      ])
  }

  @Test("a template without marks for the prompt: the call follows the user's words")
  func callAfterInstruction() throws {
    let source =
      "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]"
      + "{% elif m.tool_calls is defined and m.tool_calls %}[CALLS] {{ m.tool_calls | tojson }}</s>"
      + "{% elif m.role == 'tool' %}[RESULT] {{ m.content }}[/RESULT]{% else %} {{ m.content }}</s>"
      + "{% endif %}{% endfor %}"
    let parts = try Self.parts(
      source, Self.toolTurns, specials: ["<s>", "</s>", "[INST]", "[/INST]", "[CALLS]"],
      variables: ["bos_token": "<s>"])
    #expect(
      parts == [
        "<s>[INST] Weather?[/INST]",
        "[[CALLS] [{\"function\": {\"name\": \"sky\", \"arguments\": {\"place\": \"Zürich\"}}}]</s>]",
        "[RESULT] rain[/RESULT]", "[ It rains.</s>]",
      ])
  }

  @Test("reasoning beside the answer is learned with it")
  func reasoningBeside() throws {
    let source =
      "{% for m in messages %}<{{ m.role }}>{% if m.reasoning_content %}<think>"
      + "{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}<end>{% endfor %}"
      + "{% if add_generation_prompt %}<assistant>{% endif %}"
    let turns: [JSONValue] = [
      ["role": "user", "content": "2+2"],
      ["role": "assistant", "reasoning_content": "easy", "content": "4"],
    ]
    #expect(
      try Self.parts(source, turns, specials: ["<end>"]) == [
        "<user>2+2<end><assistant>", "[<think>easy</think>4<end>]",
      ])
  }

  @Test("a call that the template leaves out, or an answer without a place, is refused by name")
  func refusedByName() throws {
    let missing = #expect(throws: ChatTemplateError.self) {
      try Self.parts(Self.chatML, Self.toolTurns, specials: ["<|im_end|>"])
    }
    #expect(missing?.problem == .toolCallNotShown(number: 2))
    // The number of messages stands first, so no text is the beginning of another.
    let moved = #expect(throws: ChatTemplateError.self) {
      try Self.parts("{{ messages | length }}" + Self.withTools, Self.toolTurns)
    }
    #expect(moved?.problem == .answerNotFound(number: 2))
  }
}
