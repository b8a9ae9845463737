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
    case .dictionary(let dictionary):
      switch name {
      case "items": return try items(dictionary, &renderer)
      case "keys": return try renderer.list(dictionary.members.map { .string($0.key) })
      case "values": return try renderer.list(dictionary.members.map(\.value))
      case "get":
        let key = try renderer.printed(arguments[0, "key"] ?? .string(""))
        try renderer.count(object.memberCount)
        return object.member(key) ?? arguments[1, "default"] ?? .null
      default: break
      }
    case .list(let list):
      let wanted = arguments[0, "value"] ?? .null
      guard name == "count" || name == "index" else { break }
      var found = 0
      for (place, element) in list.elements.enumerated() {
        guard try renderer.areEqual(element, wanted) else { continue }
        if name == "index" { return .integer(place) }
        found += 1
      }
      if name == "count" { return .integer(found) }
    default: break
    }
    throw renderer.failure(
      .wrongType(wanted: "something with a method \(name)", found: object.typeName))
  }

  static func items(
    _ dictionary: TemplateDictionary, _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    var pairs: [TemplateValue] = []
    for member in dictionary.members {
      pairs.append(try renderer.list([.string(member.key), member.value]))
    }
    return try renderer.list(pairs)
  }

  static func joined(
    _ parts: [TemplateValue], by separator: String, _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    var text = ""
    for (place, part) in parts.enumerated() {
      let part = try renderer.printed(part)
      try renderer.count(bytes: part.utf8.count + separator.utf8.count)
      if place > 0 { text += separator }
      text += part
    }
    return .string(text)
  }

  static func replaced(
    _ text: String, _ old: String, _ new: String, atMost limit: Int?,
    _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    if old.isEmpty { return .string(text) }
    let parts = try parted(text, by: old, atMost: limit, &renderer)
    let (added, overflow) = new.utf8.count.multipliedReportingOverflow(by: parts.count - 1)
    try renderer.count(bytes: overflow ? .max : added)
    return .string(parts.joined(separator: new))
  }

  private static func parted(
    _ text: String, by separator: String?, atMost limit: Int?, _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> [String] {
    try renderer.count(bytes: text.utf8.count + (separator?.utf8.count ?? 0))
    let parts = text.parted(by: separator, atMost: limit)
    try renderer.count(parts.count)
    return parts
  }

  private static func string(
    _ text: String, _ name: String, _ arguments: TemplateArguments,
    _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    func word(_ place: Int) throws(ChatTemplateError) -> String {
      try renderer.text(of: arguments[place, ""] ?? .null)
    }
    let characters = arguments[0, "chars"]?.string
    try renderer.count(bytes: text.utf8.count)
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
        try renderer.count(list.weight)
        choices = list.elements
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
      return try replaced(
        text, word(0), word(1), atMost: arguments[2, "count"]?.integer, &renderer)
    case "split":
      let parts = try parted(
        text, by: arguments[0, "sep"]?.string, atMost: arguments[1, "maxsplit"]?.integer, &renderer)
      return try renderer.list(parts.map { .string($0) })
    case "join":
      return try joined(renderer.elements(of: arguments[0, ""] ?? .null), by: text, &renderer)
    case "count":
      return .integer(try parted(text, by: word(0), atMost: nil, &renderer).count - 1)
    case "find":
      let parts = try parted(text, by: word(0), atMost: 1, &renderer)
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
    let bytes = Array(utf8)
    let search = ByteSearch(for: Array(separator.utf8))
    var parts: [String] = []
    var start = 0
    while limit.map({ $0 < 0 || parts.count < $0 }) ?? true,
      let place = search.first(in: bytes, from: start)
    {
      parts.append(String(decoding: bytes[start..<place.lowerBound], as: UTF8.self))
      start = place.upperBound
    }
    return parts + [String(decoding: bytes[start...], as: UTF8.self)]
  }
}
