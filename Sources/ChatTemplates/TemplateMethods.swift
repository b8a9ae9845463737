/// The methods of strings and mappings that templates may call.
enum TemplateMethods {
  static let names: Set = [
    "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "upper", "lower", "title",
    "capitalize", "replace", "join", "count", "find", "items", "keys", "values", "get", "index",
  ]

  static func call(
    _ name: String, on object: TemplateValue, _ arguments: TemplateArguments,
    _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    switch object {
    case .undefined(let name): throw renderer.failure(.undefined(name))
    case .string(let text): return try string(text, name, arguments, &renderer)
    case .dictionary(let members):
      switch name {
      case "items": return .list(members.map { .list([.string($0.key), $0.value]) })
      case "keys": return .list(members.map { .string($0.key) })
      case "values": return .list(members.map(\.value))
      case "get":
        let key = arguments[0, "key"]?.text ?? ""
        return object.member(key) ?? arguments[1, "default"] ?? .null
      default: break
      }
    case .list(let list):
      let wanted = arguments[0, "value"] ?? .null
      if name == "count" { return .integer(list.count { $0.equals(wanted) }) }
      if name == "index", let place = list.firstIndex(where: { $0.equals(wanted) }) {
        return .integer(place)
      }
    default: break
    }
    throw renderer.failure(
      .wrongType(wanted: "something with a method \(name)", found: object.typeName))
  }

  private static func string(
    _ text: String, _ name: String, _ arguments: TemplateArguments,
    _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    func word(_ place: Int) throws(ChatTemplateError) -> String {
      try renderer.text(of: arguments[place, ""] ?? .null)
    }
    let characters = arguments[0, "chars"]?.string
    switch name {
    case "strip": return .string(text.trimmed(characters))
    case "lstrip": return .string(text.trimmed(characters, right: false))
    case "rstrip": return .string(text.trimmed(characters, left: false))
    case "upper": return .string(text.uppercased())
    case "lower": return .string(text.lowercased())
    case "title": return .string(text.titled)
    case "capitalize": return .string(text.capitalizedFirst)
    case "startswith", "endswith":
      let choices: [TemplateValue]
      if case .list(let list)? = arguments[0, ""] {
        choices = list
      } else {
        choices = [.string(try word(0))]
      }
      return .bool(
        choices.compactMap(\.string).contains { choice in
          name == "startswith"
            ? text.utf8.starts(with: choice.utf8)
            : text.utf8.reversed().starts(with: choice.utf8.reversed())
        })
    case "replace":
      return .string(
        text.replacingAll(try word(0), with: try word(1), atMost: arguments[2, "count"]?.integer))
    case "split":
      let parts = text.parted(
        by: arguments[0, "sep"]?.string, atMost: arguments[1, "maxsplit"]?.integer)
      return .list(parts.map { .string($0) })
    case "join":
      let parts = try renderer.elements(of: arguments[0, ""] ?? .null)
      return .string(parts.map(\.text).joined(separator: text))
    case "count":
      let wanted = try word(0)
      return .integer(text.parted(by: wanted, atMost: nil).count - 1)
    case "find":
      let parts = text.parted(by: try word(0), atMost: 1)
      return .integer(parts.count > 1 ? parts[0].unicodeScalars.count : -1)
    default:
      throw renderer.failure(
        .wrongType(wanted: "something with a method \(name)", found: "a string"))
    }
  }
}

extension String {
  /// Without characters of `set` (white space when nil) at its ends.
  func trimmed(_ set: String? = nil, left: Bool = true, right: Bool = true) -> String {
    let wanted = set.map { Set($0.unicodeScalars) }
    var rest = unicodeScalars[...]
    func goes(_ scalar: Unicode.Scalar) -> Bool {
      wanted?.contains(scalar)
        ?? (scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value))
    }
    while left, let first = rest.first, goes(first) { rest.removeFirst() }
    while right, let last = rest.last, goes(last) { rest.removeLast() }
    return String(rest)
  }

  /// The first letter of each word in upper case, the others in lower case.
  var titled: String {
    var result = ""
    var startsWord = true
    for scalar in unicodeScalars {
      let isLetter = scalar.properties.isAlphabetic
      let mapped =
        startsWord ? scalar.properties.titlecaseMapping : scalar.properties.lowercaseMapping
      result += isLetter ? mapped : String(scalar)
      startsWord = !isLetter
    }
    return result
  }

  var capitalizedFirst: String {
    guard let first = unicodeScalars.first else { return self }
    return first.properties.titlecaseMapping
      + String(String.UnicodeScalarView(unicodeScalars.dropFirst())).lowercased()
  }

  /// The parts between `separator`, or between runs of white space when it is nil.
  func parted(by separator: String?, atMost limit: Int?) -> [String] {
    guard let separator, !separator.isEmpty else {
      var rest = Substring(trimmed(right: false)).unicodeScalars
      var parts: [String] = []
      while !rest.isEmpty {
        if let limit, limit >= 0, parts.count == limit {
          parts.append(String(rest))
          break
        }
        let word = rest.prefix { !$0.properties.isWhitespace }
        parts.append(String(word))
        rest = rest[word.endIndex...].drop { $0.properties.isWhitespace }
      }
      return parts
    }
    let (bytes, wanted) = (Array(utf8), Array(separator.utf8))
    var parts: [String] = []
    var (start, i) = (0, 0)
    while i + wanted.count <= bytes.count, limit.map({ $0 < 0 || parts.count < $0 }) ?? true {
      if bytes[i...].starts(with: wanted) {
        parts.append(String(decoding: bytes[start..<i], as: UTF8.self))
        i += wanted.count
        start = i
      } else {
        i += 1
      }
    }
    return parts + [String(decoding: bytes[start...], as: UTF8.self)]
  }

  /// With up to `limit` occurrences of `old` replaced; an empty `old` replaces nothing.
  func replacingAll(_ old: String, with new: String, atMost limit: Int? = nil) -> String {
    old.isEmpty ? self : parted(by: old, atMost: limit).joined(separator: new)
  }
}
