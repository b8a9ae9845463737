import JSON

/// A manual page in the man macros of roff: one section a command.
struct ManualPage {
  /// The root command, as the argument parser describes it.
  private let command: JSONValue
  private let version: String

  /// - Parameter help: The description that `--experimental-dump-help` prints.
  init(_ help: JSONValue, version: String) {
    command = help["command"] ?? .null
    self.version = version
  }

  var text: String {
    let name = command["commandName"]?.string ?? ""
    var lines = [
      ".TH \(name.uppercased()) 1 \"\" \"\(name) \(version)\" \"User Commands\"", ".SH NAME",
      Self.escaped("\(name) - \(abstract(command))"), ".SH SYNOPSIS",
      ".B \(name)", ".I COMMAND", "[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]", ".SH COMMANDS",
    ]
    let commands = (command["subcommands"]?.array ?? []).filter(Self.isShown)
    for command in commands { lines += section(command, of: name) }
    lines += [".SH EXIT STATUS"]
    for (code, meaning) in Self.exitCodes { lines += [".TP", ".B \(code)", Self.escaped(meaning)] }
    return lines.joined(separator: "\n") + "\n"
  }

  private static let exitCodes = [
    ("0", "done, all checks passed"), ("1", "the checks ran, and the answer is no"),
    ("3", "malformed input"), ("4", "understood, but not supported"),
    ("5", "input or output: missing, permission, disk full"),
    ("6", "the output exists, or would overwrite its input"), ("7", "resource limit"),
    ("64", "usage"), ("70", "internal error"), ("130", "interrupted; nothing published"),
  ]

  private func section(_ command: JSONValue, of root: String) -> [String] {
    let name = "\(root) \(command["commandName"]?.string ?? "")"
    let arguments = (command["arguments"]?.array ?? []).filter(Self.isShown)
    var lines = [".SS \(Self.escaped(name))", Self.escaped(abstract(command)), ".PP"]
    lines.append(
      ".B \(Self.escaped(name))\n" + arguments.map(Self.synopsis).joined(separator: " "))
    lines += Self.discussion(command["discussion"]?.string ?? "")
    for argument in arguments { lines += Self.item(argument) }
    return lines
  }

  private func abstract(_ command: JSONValue) -> String { command["abstract"]?.string ?? "" }

  private static func isShown(_ value: JSONValue) -> Bool {
    value["shouldDisplay"]?.bool ?? true && value["commandName"]?.string != "help"
  }

  /// Paragraphs filled, indented lines as they are.
  private static func discussion(_ text: String) -> [String] {
    var lines: [String] = []
    var isExample = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let indented = line.hasPrefix("  ")
      if indented != isExample {
        lines.append(indented ? ".PP\n.RS 4\n.nf" : ".fi\n.RE")
        isExample = indented
      }
      if line.isEmpty {
        lines.append(".PP")
      } else {
        lines.append(escaped(line.drop { $0 == " " }))
      }
    }
    if isExample { lines.append(".fi\n.RE") }
    return lines.isEmpty ? [] : [".PP"] + lines
  }

  /// An argument's name or names, and its value, in bold and italics.
  private static func item(_ argument: JSONValue) -> [String] {
    let value = argument["valueName"]?.string ?? ""
    let names = (argument["names"]?.array ?? []).map { "\\fB\(escaped(dashed($0)))\\fR" }
    let head =
      switch argument["kind"]?.string {
      case "positional": "\\fI\(escaped(value))\\fR"
      case "option": names.joined(separator: ", ") + " \\fI\(escaped(value))\\fR"
      default: names.joined(separator: ", ")
      }
    var text = argument["abstract"]?.string ?? ""
    let values = (argument["allValues"]?.array ?? []).compactMap(\.string)
    let notes = [
      values.isEmpty ? nil : "values: " + values.joined(separator: ", "),
      argument["defaultValue"]?.string.map { "default: \($0)" },
    ].compactMap { $0 }
    if !notes.isEmpty { text += " (\(notes.joined(separator: "; ")))" }
    return [".TP", head, escaped(text)]
  }

  private static func synopsis(_ argument: JSONValue) -> String {
    let value = "\\fI\(escaped(argument["valueName"]?.string ?? ""))\\fR"
    let name = argument["preferredName"].map { "\\fB\(escaped(dashed($0)))\\fR" } ?? ""
    let form =
      switch argument["kind"]?.string {
      case "positional": value
      case "option": "\(name) \(value)"
      default: name
      }
    let repeated = argument["isRepeating"]?.bool == true ? form + " ..." : form
    return argument["isOptional"]?.bool == true ? "[\(repeated)]" : repeated
  }

  private static func dashed(_ name: JSONValue) -> String {
    let text = name["name"]?.string ?? ""
    return name["kind"]?.string == "long" ? "--" + text : "-" + text
  }

  /// Text in which no character commands roff, at the start of a line or within.
  private static func escaped(_ text: some StringProtocol) -> String {
    var result = ""
    for character in text {
      switch character {
      case "\\": result += "\\e"
      case "-": result += "\\-"
      default: result.append(character)
      }
    }
    return result.hasPrefix(".") || result.hasPrefix("'") ? "\\&" + result : result
  }
}
