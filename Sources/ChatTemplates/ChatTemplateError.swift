package import ByteIO

/// Why a chat template could not be read or run.
package struct ChatTemplateError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    case syntax(wanted: String, found: String)
    /// The template uses a part of Jinja that is not interpreted.
    case unsupported(String)
    /// Statements or brackets are nested too deeply.
    case tooDeep(limit: Int)
    /// An expression has too many parts.
    case tooLong(limit: Int)
    /// The template loops too much.
    case tooMuchWork(limit: Int)
    /// The text has become too long.
    case textTooLong(limit: Int)
    case wrongType(wanted: String, found: String)
    /// So many values were to be unpacked or passed.
    case wrongCount(wanted: Int, found: Int)
    /// A member of something undefined was asked for.
    case undefined(String)
    case divisionByZero
    case overflow
    /// The template itself refused the conversation.
    case raised(String)
    /// `strftime_now` was called, and the text must be the same on every day.
    case dateNeeded
    /// The template does not show an assistant's call of a tool; counted from 1.
    case toolCallNotShown(number: Int)
    /// The template does not show an answer in its place; counted from 1.
    case answerNotFound(number: Int)
  }

  package var problem: Problem
  /// Line of the template, from 1.
  package var line: Int?
  package var path: String?

  package init(_ problem: Problem, line: Int? = nil, path: String? = nil) {
    self.problem = problem
    self.line = line
    self.path = path
  }

  package var file: String? { path }

  package var code: String {
    switch problem {
    case .syntax: "template.syntax"
    case .unsupported: "template.unsupported"
    case .tooDeep, .tooLong, .tooMuchWork, .textTooLong: "template.limit"
    case .wrongType, .wrongCount, .undefined, .divisionByZero, .overflow: "template.failed"
    case .raised: "template.raised"
    case .dateNeeded: "template.date_needed"
    case .toolCallNotShown: "template.tool_call_not_shown"
    case .answerNotFound: "template.answer_not_found"
    }
  }

  package var kind: FailureKind {
    switch problem {
    case .syntax: .malformed
    case .unsupported: .unsupported
    case .tooDeep, .tooLong, .tooMuchWork, .textTooLong: .resourceLimit
    case .wrongType, .wrongCount, .undefined, .divisionByZero, .overflow: .malformed
    case .answerNotFound, .toolCallNotShown: .malformed
    case .raised, .dateNeeded: .usage
    }
  }

  package var message: String {
    "chat template\(line.map { ", line \($0)" } ?? ""): \(sentence)"
  }

  private var sentence: String {
    switch problem {
    case .syntax(let wanted, let found): "\(wanted) expected, found \(found)"
    case .unsupported(let what): "\(what) is not supported"
    case .tooDeep(let limit): "nested deeper than \(limit) levels"
    case .tooLong(let limit): "an expression has more than \(limit) parts"
    case .tooMuchWork(let limit): "takes more than \(limit) steps"
    case .textTooLong(let limit): "the text has more than \(limit) bytes"
    case .wrongType(let wanted, let found): "\(wanted) expected, found \(found)"
    case .wrongCount(let wanted, let found): "\(wanted) values expected, found \(found)"
    case .undefined(let name): "\(name) is undefined"
    case .divisionByZero: "division by zero"
    case .overflow: "a number exceeds 64 bits"
    case .raised(let message): "the template refuses the conversation: \(message)"
    case .dateNeeded: "it writes today's date, which makes a different text every day"
    case .toolCallNotShown(let number):
      "the tool call of the assistant's message \(number) does not appear in the text"
    case .answerNotFound(let number):
      "the assistant's answer \(number) is not where the other answers are"
    }
  }

  package var hint: String? {
    switch problem {
    case .unsupported: "see formats/tokenizer-json.md for what is"
    case .dateNeeded: "say which date it should write with --date YYYY-MM-DD"
    case .toolCallNotShown:
      "use a template that writes tool calls, or leave the record out with --skip-bad-records"
    default: nil
    }
  }
}
