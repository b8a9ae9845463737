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
    unknownCommand ?? unknownOption ?? negativeNumber ?? unreadValue
      ?? UsageError(plainComplaint, hint: help)
  }

  // MARK: What it can be

  private var unknownCommand: UsageError? {
    guard let first = arguments.first, !first.hasPrefix("-"), command == nil, first != "help" else {
      return nil
    }
    let meant = ForeignWords.commands[first] ?? nearest(to: first, of: commands)
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
    } else if command == "train" || command == nil, let answer = ForeignWords.training[usual] {
      hint = answer
    } else if let answer = ForeignWords.options[usual], options.contains(answer) {
      hint = "here that is \(answer)"
    } else {
      hint = nearest(to: usual, of: options).map { "did you mean \($0)?" } ?? help
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

  /// A value that an option does not take.
  private var unreadValue: UsageError? {
    guard complaint.hasPrefix("The value "), quoted.count >= 2 else { return nil }
    let (value, choices) = (quoted[0], quoted.dropFirst(2))
    let option = quoted[1].prefix { $0 != " " }
    let message = "\(option) cannot be \"\(value)\""
    if !choices.isEmpty {
      let meant = nearest(to: value, of: Array(choices)).map { "did you mean \($0)? " } ?? ""
      return UsageError(message, hint: meant + "it can be " + choices.joined(separator: ", "))
    }
    if isNegative(value) {
      return UsageError("\(option) is \(value), but takes no number below 0", hint: help)
    }
    if let number = Double(value), let whole = Int(exactly: number), "\(whole)" != value {
      return UsageError(message + ": it takes a whole number", hint: "write \(whole)")
    }
    return UsageError(message, hint: plainList(value).map { "write \($0)" } ?? help)
  }

  /// The numbers of a list in brackets, or with spaces between them, as options take them.
  private func plainList(_ value: String) -> String? {
    let items = value.split { "[](){}, ;".contains($0) }
    let plain = items.joined(separator: ",")
    return !items.isEmpty && plain != value && items.allSatisfy { Int($0) != nil } ? plain : nil
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
    let asked = root["subcommands"]?.array?.first { $0["commandName"]?.string == command }
    let arguments = (asked ?? root)["arguments"]?.array ?? []
    return arguments.flatMap { $0["names"]?.array ?? [] }
      .filter { $0["kind"]?.string == "long" }
      .compactMap { $0["name"]?.string }.map { "--" + $0 }
  }

  private func isNegative(_ text: String) -> Bool {
    text.hasPrefix("-") && Double(text) != nil
  }

  /// The word most like `word`, if it is like it.
  private func nearest(to word: String, of words: [String]) -> String? {
    let measured = words.map { (word: $0, distance: spellingDistance($0, word)) }
    guard let best = measured.min(by: { $0.distance < $1.distance }),
      best.distance <= max(1, word.drop { $0 == "-" }.count / 3)
    else { return nil }
    return best.word
  }
}
