import ByteIO
import ChatTemplates
import JSON

private let messages: [JSONValue] = [
  ["role": "system", "content": "Be brief."], ["role": "user", "content": "2 + 2?"],
  [
    "role": "assistant", "content": "",
    "tool_calls": [["function": ["name": "sum", "arguments": ["list": [2, 2]]]]],
  ],
  ["role": "tool", "content": "4"], ["role": "assistant", "content": " It is 4. "],
]

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let source = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  let date = TemplateDate(year: 2026, month: 11, day: 29)
  guard let template = try? ChatTemplate(source, date: date) else { return 0 }
  let variables: JSONObject = ["bos_token": "<s>", "eos_token": "</s>"]
  guard
    let text = try? template.render(
      messages: messages, addGenerationPrompt: false, variables: variables)
  else { return 0 }
  if let answers = try? template.answers(
    of: messages, variables: variables, specials: [Array("</s>".utf8)])
  {
    precondition(
      answers.parts.flatMap(\.bytes) == Array(text.utf8), "the parts are the text, in order")
  }
  return 0
}
