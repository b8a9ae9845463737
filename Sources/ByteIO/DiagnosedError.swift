import Platform

/// What kind of failure an error is; it decides the exit code of the command.
public enum FailureKind: Int32, Sendable {
  /// The checks ran, and the answer is no.
  case checkFailed = 1
  /// The input breaks a rule of its format.
  case malformed = 3
  /// The input is understood, but this tool cannot do what was asked with it.
  case unsupported = 4
  /// Missing file, permission, full disk.
  case inputOutput = 5
  /// The output exists, or would overwrite the input.
  case outputExists = 6
  /// A limit on memory, size or count was reached.
  case resourceLimit = 7
  /// The command line asks for something impossible.
  case usage = 64
  /// A defect of this program.
  case `internal` = 70
  /// Stopped by a signal; nothing was published.
  case interrupted = 130
}

/// An error that says what is wrong, where, with which numbers, and what to do next.
///
/// Each module has one such error, a struct of a place and a `Problem` with a case for every rule.
/// The commands render it once, as text or JSON.
public protocol DiagnosedError: Error, CustomStringConvertible {
  /// Stable identifier for programs, such as `st.header_past_end`.
  var code: String { get }
  var kind: FailureKind { get }
  /// One sentence with the values found and the values allowed.
  var message: String { get }
  /// Path of the file at fault, as the user gave it.
  var file: String? { get }
  /// Byte offset in `file` of the field at fault.
  var offset: Int? { get }
  var tensor: String? { get }
  /// The next step, as an imperative sentence.
  var hint: String? { get }
}

extension DiagnosedError {
  /// No file, unless an error names one.
  public var file: String? { nil }
  /// No offset, unless an error names one.
  public var offset: Int? { nil }
  /// No tensor, unless an error names one.
  public var tensor: String? { nil }
  /// No next step, unless an error knows one.
  public var hint: String? { nil }

  /// Place, message, code and hint, as the commands print them.
  public var description: String {
    var place = file.map { [$0] } ?? []
    if let offset { place.append("byte \(offset)") }
    if let tensor { place.append("tensor \(tensor)") }
    let prefix = place.isEmpty ? "" : place.joined(separator: ", ") + ": "
    return PrintedText.onOneLine(prefix + message + " [\(code)]")
      + (hint.map { "\n  hint: " + PrintedText.onOneLine($0) } ?? "")
  }
}

/// Ends the process at once with the error's words and exit code, where there is no way to throw.
package func endProcess(for error: some DiagnosedError) -> Never {
  do { try Descriptor.standardError.write(Array("error: \(error)\n".utf8).rawSpan) } catch {}
  endProcess(error.kind.rawValue)
}

/// Something worth telling the user that does not stop the work.
package struct Warning: Equatable, Sendable {
  /// Stable identifier for programs, such as `st.unaligned`.
  package var code: String
  package var message: String
  package var file: String?
  package var offset: Int?
  package var tensor: String?

  package init(
    _ code: String, _ message: String, file: String? = nil, offset: Int? = nil,
    tensor: String? = nil
  ) {
    self.code = code
    self.message = message
    self.file = file
    self.offset = offset
    self.tensor = tensor
  }
}
