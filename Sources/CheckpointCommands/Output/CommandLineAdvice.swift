import ByteIO
import JSON
import ModelGraph

/// What to say of a command line that the argument parser refuses: its complaint, and what was
/// probably meant.
struct CommandLineAdvice {
  /// The argument parser's words.
  private let complaint: String
  private let arguments: [String]
  /// The root command, as the argument parser describes it.
  private let root: JSONValue

  init(_ complaint: String, _ arguments: [String], help: JSONValue) {
    self.complaint = complaint
    self.arguments = arguments
    root = help["command"] ?? .null
  }

  /// The command that is asked for; nil when there is none of the name.
  var command: String? {
    guard let first = arguments.first, commands.contains(first) else { return nil }
    return first
  }

  var error: UsageError {
    unknownCommand ?? unknownOption ?? negativeNumber ?? hyphenatedValue ?? unreadValue
      ?? UsageError(plainComplaint, hint: help)
  }

  // MARK: What it can be

  private var unknownCommand: UsageError? {
    let asked = arguments.first == "help" ? arguments.dropFirst() : arguments[...]
    guard let first = asked.first, !first.hasPrefix("-"), !commands.contains(first) else {
      return nil
    }
    let meant = ForeignWords.commands[first] ?? nearestSpelling(to: first, among: commands)
    return UsageError(
      "there is no command \"\(first)\"",
      hint: meant.map { "did you mean `ckpt \($0)`?" } ?? "`ckpt --help` lists the commands")
  }

  private var unknownOption: UsageError? {
    let reported = complaint.hasPrefix("Unknown option") ? quoted.first : strayOption
    guard var name = reported, !isNegative(name) else { return nil }
    // `-lr` is read as `-l -r`: what was written is meant.
    if !name.hasPrefix("--"),
      let whole = arguments.first(where: { $0.hasPrefix(name) && $0.count > 2 })
    {
      name = whole
    }
    name = String(name.prefix { $0 != "=" })
    let bare = name.drop { $0 == "-" }.lowercased()
    let usual = "--" + bare.replacing("_", with: "-")
    let hint: String
    if options.contains(usual) {
      hint = "did you mean \(usual)?"
    } else if let answer = ForeignWords.everywhere[usual] {
      hint = answer
    } else if command == "train" || command == nil, let answer = ForeignWords.training[usual] {
      hint = answer
    } else if let answer = ForeignWords.options[usual], options.contains(answer) {
      hint = "here that is \(answer)"
    } else {
      hint = nearestSpelling(to: usual, among: options).map { "did you mean \($0)?" } ?? help
    }
    return UsageError("there is no option \(name)" + place, hint: hint)
  }

  /// An option that the command does not have, which the argument parser passes over in favour of
  /// something that is missing.
  private var strayOption: String? {
    guard command != nil else { return nil }
    return arguments.prefix { $0 != "--" }.first { argument in
      argument.hasPrefix("--") && !options.contains(String(argument.prefix { $0 != "=" }))
    }
  }

  private var negativeNumber: UsageError? {
    guard complaint.hasPrefix("Missing value") || complaint.hasPrefix("Unknown option") else {
      return nil
    }
    for (option, value) in zip(arguments, arguments.dropFirst())
    where options.contains(option) && isNegative(value) {
      return UsageError("\(option) is \(value), but takes no number below 0", hint: help)
    }
    return nil
  }

  /// A value that looks like an option.
  private var hyphenatedValue: UsageError? {
    guard complaint.hasPrefix("Missing value"),
      let option = quoted.first?.prefix(while: { $0 != " " }),
      let value = zip(arguments, arguments.dropFirst()).first(where: { $0.0 == option })?.1,
      value.hasPrefix("-")
    else { return nil }
    return UsageError(
      "\(option) has no value",
      hint: "one that begins with a hyphen is written \(option)=\(shellWord(value))")
  }

  /// A value that an option does not take.
  private var unreadValue: UsageError? {
    guard complaint.hasPrefix("The value "), quoted.count >= 2 else { return nil }
    let (value, choices) = (quoted[0], quoted.dropFirst(2))
    let option = quoted[1].prefix { $0 != " " }
    let message = "\(option) cannot be \"\(value)\""
    if !choices.isEmpty {
      let meant =
        nearestSpelling(to: value, among: Array(choices)).map { "did you mean \($0)? " } ?? ""
      return UsageError(message, hint: meant + "it can be " + choices.joined(separator: ", "))
    }
    if isNegative(value) {
      return UsageError("\(option) is \(value), but takes no number below 0", hint: help)
    }
    if let number = Double(value), let whole = Int(exactly: number), "\(whole)" != value {
      return UsageError(message + ": it takes a whole number", hint: "write \(whole)")
    }
    if Double(value) != nil {
      return UsageError(message + ": it takes a whole number", hint: help)
    }
    let meaning = meaning(of: "\(option)")
    let plain = plainNumber(value) ?? plainList(value, of: meaning ?? "")
    return UsageError(message, hint: plain.map { "write \($0)" } ?? meaning ?? help)
  }

  /// The number that `10k` or `1M` stands for.
  private func plainNumber(_ value: String) -> String? {
    guard let unit = ["k": 1000, "m": 1_000_000][value.suffix(1).lowercased()],
      let count = Double(value.dropLast()), let whole = Int(exactly: count * Double(unit))
    else { return nil }
    return "\(whole)"
  }

  /// What the help says of an option.
  private func meaning(of option: String) -> String? {
    let arguments = described["arguments"]?.array ?? []
    let own = arguments.first { argument in
      argument["names"]?.array?.contains { $0["name"]?.string == String(option.drop { $0 == "-" }) }
        ?? false
    }
    guard let text = own?["abstract"]?.string, !text.isEmpty else { return nil }
    return "\(option): " + text.prefix(1).lowercased() + text.dropFirst()
  }

  /// The numbers of a list in brackets, or with spaces between them, as an option takes them; several
  /// only where what the help says of it, `meaning`, shows a list.
  private func plainList(_ value: String, of meaning: String) -> String? {
    let items = value.split { "[](){}, ;".contains($0) }
    let plain = items.joined(separator: ",")
    guard items.count == 1 || items.count > 1 && meaning.contains(/\w,\w/), plain != value else {
      return nil
    }
    return items.allSatisfy { Int($0) != nil } ? plain : nil
  }

  // MARK: Words

  /// The complaint in the voice of other errors.
  private var plainComplaint: String {
    var text = complaint.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " } }
      .joined(separator: "; ")
    if text.hasSuffix(".") { text.removeLast() }
    return text.prefix(1).lowercased() + text.dropFirst()
  }

  private var quoted: [String] {
    complaint.split(separator: "'", omittingEmptySubsequences: false).enumerated()
      .filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) }
  }

  private var place: String { command.map { " of `ckpt \($0)`" } ?? "" }

  private var help: String {
    "`ckpt \(command.map { $0 + " " } ?? "")--help` lists what there is"
  }

  private var commands: [String] {
    (root["subcommands"]?.array ?? []).compactMap { $0["commandName"]?.string }
      .filter { $0 != "help" }
  }

  /// The long names that the command takes, with their hyphens.
  private var options: [String] {
    let arguments = described["arguments"]?.array ?? []
    return arguments.flatMap { $0["names"]?.array ?? [] }
      .filter { $0["kind"]?.string == "long" }
      .compactMap { $0["name"]?.string }.map { "--" + $0 }
  }

  /// The command that is asked for, as the argument parser describes it.
  private var described: JSONValue {
    root["subcommands"]?.array?.first { $0["commandName"]?.string == command } ?? root
  }

  private func isNegative(_ text: String) -> Bool {
    text.hasPrefix("-") && Double(text) != nil
  }
}
