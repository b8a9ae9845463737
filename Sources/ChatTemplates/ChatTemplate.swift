package import JSON

/// A conversation's form as text: the part of Jinja that chat templates are written in.
///
/// Output equals that of Hugging Face's `apply_chat_template`: blocks take their line end and
/// indentation with them, and `tojson` writes plain JSON. What a template may not use is refused
/// when it is read, by name; `formats/tokenizer-json.md` lists what it may. The date that
/// `strftime_now` writes is given, so that one conversation and one date always give one text.
package struct ChatTemplate: Equatable, Sendable {
  let statements: [TemplateStatement]
  let date: TemplateDate?

  /// Reads a template; throws where it is no template or uses something unsupported.
  ///
  /// - Parameter date: What `strftime_now` writes; without one a call of it is an error.
  package init(_ source: String, date: TemplateDate? = nil) throws(ChatTemplateError) {
    self.date = date
    var parser = try TemplateParser(source)
    statements = try parser.template()
  }

  /// The text of a conversation.
  ///
  /// - Parameters:
  ///   - messages: Objects with `role` and `content`.
  ///   - addGenerationPrompt: Ends the text where the assistant is to go on.
  ///   - variables: More names that the template may use, such as `bos_token` or `tools`.
  package func render(
    messages: [JSONValue], addGenerationPrompt: Bool, variables: JSONObject = [:]
  ) throws(ChatTemplateError) -> String {
    var names = variables
    names["messages"] = .array(messages)
    names["add_generation_prompt"] = .bool(addGenerationPrompt)
    return try render(variables: names)
  }

  /// The text that the template makes of `variables`.
  package func render(variables: JSONObject) throws(ChatTemplateError) -> String {
    var renderer = TemplateRenderer(variables, date: date)
    return try renderer.render(statements)
  }
}
