import ByteIO
import Yams

/// Settings as YAML: nested mappings of the keys of `RecipeKey`.
package enum TrainingRecipe {
  /// Sets one setting from its text; the items of a list stand between commas.
  package static func set(
    _ path: String, to text: String, in settings: inout TrainingSettings
  ) throws(TrainingError) {
    let key = try find(path)
    try set(key, to: key.isList ? text.split(separator: ",").map(String.init) : [text], &settings)
  }

  private static func find(_ path: String) throws(TrainingError) -> RecipeKey {
    if let key = RecipeKey.find(path) { return key }
    throw TrainingError(.unknownKey(path, suggestion: suggestion(for: path)))
  }

  private static func set(
    _ key: RecipeKey, to texts: [String], _ settings: inout TrainingSettings
  ) throws(TrainingError) {
    if let allowed = key.set(&settings, texts) {
      throw TrainingError(
        .badSetting(key: key.path, value: texts.joined(separator: ", "), allowed: allowed))
    }
  }

  /// Applies the recipe in the file `path`; what it does not name stays.
  package static func apply(_ path: String, to settings: inout TrainingSettings) throws {
    let bytes = try ByteRegion(path: path).contents(limit: 1 << 20)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw TrainingError(.badYAML("not valid UTF-8"), path)
    }
    try apply(text: text, path: path, to: &settings)
  }

  package static func apply(
    text: String, path: String? = nil, to settings: inout TrainingSettings
  ) throws(TrainingError) {
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch {
      throw TrainingError(.badYAML(reason(error)), path)
    }
    guard let root, root.scalar?.string != "" else { return }
    var pending = [(name: "", node: root)]
    while let (name, node) = pending.popLast() {
      do throws(TrainingError) {
        switch node {
        case .mapping(let mapping):
          if RecipeKey.find(name) != nil {
            throw TrainingError(.badSetting(key: name, value: "a mapping", allowed: "one value"))
          }
          // The kind of optimizer goes first, because other defaults depend on it.
          for (key, value) in mapping.reversed() {
            let key = key.string ?? "?"
            let child = name.isEmpty ? key : "\(name).\(key)"
            pending.append((child, value))
          }
        case .sequence(let items): try setList(name, items, in: &settings)
        case .scalar(let scalar): try set(name, to: scalar.string, in: &settings)
        case .alias:
          throw TrainingError(.badSetting(key: name, value: "an alias", allowed: "one value"))
        }
      } catch {
        throw TrainingError(error.problem, path, line: node.mark?.line)
      }
    }
  }

  /// One line of what the YAML parser says.
  private static func reason(_ error: any Error) -> String {
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      "line \(mark.line), column \(mark.column): \(problem)"
    default: "\(error)".split(whereSeparator: \.isNewline).first.map(String.init) ?? "no YAML"
    }
  }

  private static func setList(
    _ name: String, _ items: Node.Sequence, in settings: inout TrainingSettings
  ) throws(TrainingError) {
    let key = try find(name)
    let texts = items.compactMap { $0.scalar?.string }
    guard key.isList, texts.count == items.count else {
      throw TrainingError(
        .badSetting(
          key: name, value: "a list", allowed: key.isList ? "a list of values" : "one value"))
    }
    try set(key, to: texts, &settings)
  }

  /// The settings as a recipe that gives them back.
  package static func text(of settings: TrainingSettings) -> String {
    var lines: [String] = []
    var open: [Substring] = []
    func add(_ path: String, _ value: String) {
      let parts = path.split(separator: ".")
      let folders = Array(parts.dropLast())
      let shared = zip(open, folders).prefix { $0 == $1 }.count
      for depth in shared..<folders.count {
        lines.append(String(repeating: "  ", count: depth) + folders[depth] + ":")
      }
      open = folders
      lines.append(
        String(repeating: "  ", count: folders.count) + (parts.last ?? "") + ": " + value)
    }
    for key in RecipeKey.all {
      let texts = key.get(settings).map(quoted)
      add(key.path, key.isList ? "[" + texts.joined(separator: ", ") + "]" : texts.joined())
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The settings that are not what they are by default, as the recipe spells them.
  package static func changes(in settings: TrainingSettings) -> [(key: String, value: String)] {
    let defaults = TrainingSettings()
    return RecipeKey.all.filter { $0.get(settings) != $0.get(defaults) }.map { key in
      (key.path, key.get(settings).joined(separator: ", "))
    }
  }

  /// The first setting that differs; nil when none does.
  package static func difference(
    _ a: TrainingSettings, _ b: TrainingSettings
  ) -> (key: String, old: String, new: String)? {
    if a == b { return nil }
    for (old, new) in zip(text(of: a).split(separator: "\n"), text(of: b).split(separator: "\n"))
    where old != new {
      func value(_ line: Substring) -> String {
        String(line.drop { $0 != ":" }.dropFirst().drop { $0 == " " })
      }
      let key = old.prefix { $0 != ":" }.drop { $0 == " " }
      return (String(key), value(old), value(new))
    }
    return nil
  }

  /// `text`, in quotes where YAML would read something else.
  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy {
      switch $0 {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2E, 0x2D, 0x5F, 0x2F, 0x2B: true
      default: false
      }
    }
    if isPlain, let first = text.utf8.first, first != 0x2D { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\u{0}"..."\u{1F}":
        let digits = String(scalar.value, radix: 16)
        result += "\\x" + (digits.count < 2 ? "0" : "") + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// What a shell completes a setting to: `KEY=`, and `KEY=VALUE` for each value of a closed set.
  package static var assignments: [String] {
    RecipeKey.all.flatMap { key in
      key.values.isEmpty ? [key.path + "="] : key.values.map { "\(key.path)=\($0)" }
    }
  }

  /// Settings by the names that other trainers give them.
  private static let foreignKeys = [
    "lr": "optimizer.muon.learning_rate", "peak_lr": "optimizer.muon.learning_rate",
    "learning_rate": "optimizer.muon.learning_rate",
    "weight_decay": "optimizer.muon.weight_decay", "wd": "optimizer.muon.weight_decay",
    "epochs": "data.epochs", "num_epochs": "data.epochs", "num_train_epochs": "data.epochs",
    "bs": "batch_size", "train_batch_size": "batch_size", "max_steps": "steps",
    "num_train_steps": "steps", "warmup_steps": "schedule.warmup",
    "warmup_ratio": "schedule.warmup", "max_grad_norm": "optimizer.clip",
    "grad_clip": "optimizer.clip", "seq_len": "sequence_length",
    "max_seq_length": "sequence_length", "block_size": "sequence_length", "dtype": "precision",
  ]

  /// The known setting that is spelled most like `path`; nil when none is near.
  static func suggestion(for path: String) -> String? {
    // What is compared are the first 64 characters; no setting has as many.
    guard path.count <= 64 else { return nil }
    if let meant = foreignKeys[String(path.split(separator: ".").last ?? "")] {
      return path.contains("adam") ? meant.replacing(".muon.", with: ".adam.") : meant
    }
    let known = RecipeKey.all.map(\.path)
    // A value where there are settings below.
    if let first = known.first(where: { $0.hasPrefix(path + ".") }) { return first }
    let scored = known.map { key in
      // A key given without its mapping counts as near.
      let last = key.split(separator: ".").last.map(String.init) ?? key
      return (key, min(spellingDistance(path, key), spellingDistance(path, last) + 1))
    }
    guard let best = scored.min(by: { $0.1 < $1.1 }), best.1 <= max(2, path.count / 3) else {
      return nil
    }
    return best.0
  }
}
