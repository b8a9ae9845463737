import ByteIO
import JSON

/// What a command found, for a person and for a program.
protocol Report {
  /// The command's name, as it stands in the schema `ckpt.NAME/1`.
  static var command: String { get }
  /// False when a check's answer is no; the exit code is then 1.
  var isOK: Bool { get }
  /// Members of the JSON document, beside `schema`, `ok`, `warnings` and `errors`.
  var json: JSONObject { get }
  /// The page a person reads, ending with a line break; empty when there is nothing to say.
  var text: String { get }
  var warnings: [Warning] { get }
  /// The command that usually follows, for a person; nil where another process says it.
  var next: String? { get }
  /// Whether the text is a model's own, which is given as it is.
  var isModelText: Bool { get }
  /// Whether it has been said already, or another process of a group says it.
  var isSilent: Bool { get }
}

extension Report {
  var isOK: Bool { true }
  var warnings: [Warning] { [] }
  var isModelText: Bool { false }
  var isSilent: Bool { false }
}

/// The JSON document of a run: `fields` between the members that every document has.
func document(
  command: String, isOK: Bool, fields: JSONObject, warnings: [Warning], errors: [JSONValue]
) -> JSONValue {
  var members: [JSONObject.Member] = [
    .init(key: "schema", value: .string("ckpt.\(command)/1")),
    .init(key: "ok", value: .bool(isOK)),
  ]
  members += fields.members
  members.append(.init(key: "warnings", value: .array(warnings.map(\.json))))
  members.append(.init(key: "errors", value: .array(errors)))
  return .object(JSONObject(members))
}

extension Warning {
  var json: JSONValue {
    [
      "code": .string(code), "message": .string(message), "file": JSONValue(file),
      "offset": JSONValue(offset), "tensor": JSONValue(tensor),
    ]
  }

  var line: String {
    var place = file.map { [$0] } ?? []
    if let offset { place.append("byte \(offset)") }
    if let tensor { place.append("tensor \(tensor)") }
    return "warning: "
      + PrintedText.onOneLine(
        (place.isEmpty ? "" : place.joined(separator: ", ") + ": ") + message + " [\(code)]")
  }
}

/// The members of an error that a program reads.
func json(of error: any Error) -> JSONValue {
  guard let error = error as? any DiagnosedError else {
    return [
      "code": "internal", "message": .string("\(error)"), "file": .null, "offset": .null,
      "tensor": .null, "hint": .null,
    ]
  }
  return [
    "code": .string(error.code), "message": .string(error.message), "file": JSONValue(error.file),
    "offset": JSONValue(error.offset), "tensor": JSONValue(error.tensor),
    "hint": JSONValue(error.hint),
  ]
}
