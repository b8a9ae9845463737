import ByteIO

extension TokenizerError {
  /// Why a chat template could not be read or run.
  package enum TemplateProblem: Equatable, Sendable {
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

    var code: String {
      switch self {
      case .syntax: "template.syntax"
      case .unsupported: "template.unsupported"
      case .tooDeep, .tooLong, .tooMuchWork, .textTooLong: "template.limit"
      case .wrongType, .wrongCount, .undefined, .divisionByZero, .overflow: "template.failed"
      case .raised: "template.raised"
      }
    }

    var kind: FailureKind {
      switch self {
      case .syntax: .malformed
      case .unsupported: .unsupported
      case .tooDeep, .tooLong, .tooMuchWork, .textTooLong: .resourceLimit
      case .wrongType, .wrongCount, .undefined, .divisionByZero, .overflow: .malformed
      case .raised: .usage
      }
    }

    var message: String {
      switch self {
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
      }
    }
  }
}
