/// What the filters of `TemplateFilter` do.
enum TemplateFilters {
  static func apply(
    _ filter: TemplateFilter, to value: TemplateValue, _ arguments: TemplateArguments,
    _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    switch filter {
    case .trim, .upper, .lower, .capitalize, .title, .string, .safe, .indent:
      return try renderer.string(text(filter, renderer.printed(value), arguments, &renderer))
    case .tojson: return try renderer.string(json(of: value, arguments, &renderer))
    case .default, .d:
      let replaces = value.isUndefined || arguments[1, "boolean"]?.isTrue ?? false && !value.isTrue
      return replaces ? arguments[0, "default_value"] ?? .string("") : value
    case .replace:
      let old = try renderer.text(of: arguments[0, "old"] ?? .null)
      let new = try renderer.text(of: arguments[1, "new"] ?? .null)
      return try TemplateMethods.replaced(
        renderer.printed(value), old, new, atMost: arguments[2, "count"]?.integer, &renderer)
    case .int:
      guard let number = value.number ?? value.string.flatMap({ Double($0.trimmed()) }) else {
        return .integer(0)
      }
      return .integer(value.integer ?? Int(exactly: number.rounded(.towardZero)) ?? 0)
    case .float:
      return .float(value.number ?? value.string.flatMap { Double($0.trimmed()) } ?? 0)
    case .abs: return try absolute(value, renderer)
    case .round: return try rounded(value, arguments, renderer)
    case .items:
      guard case .dictionary(let dictionary) = value else {
        throw renderer.failure(.wrongType(wanted: "a mapping", found: value.typeName))
      }
      return try TemplateMethods.items(dictionary, &renderer)
    case .length where value.string != nil, .count where value.string != nil:
      let text = try renderer.text(of: value)
      try renderer.count(bytes: text.utf8.count)
      return .integer(text.unicodeScalars.count)
    default: return try list(filter, renderer.elements(of: value), value, arguments, &renderer)
    }
  }

  private static func text(
    _ filter: TemplateFilter, _ text: String, _ arguments: TemplateArguments,
    _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> String {
    try renderer.count(bytes: text.utf8.count)
    switch filter {
    case .trim: return text.trimmed(arguments[0, "chars"]?.string)
    case .upper: return text.uppercased()
    case .lower: return text.lowercased()
    case .capitalize: return text.capitalizedFirst
    case .title: return text.titled
    case .indent: return try indented(text, arguments, &renderer)
    default: return text
    }
  }

  private static func json(
    of value: TemplateValue, _ arguments: TemplateArguments, _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> String {
    if value.isUndefined {
      throw renderer.failure(.wrongType(wanted: "a value", found: "an undefined value"))
    }
    try renderer.count(value.weight)
    guard let indent = arguments[0, "indent"]?.integer else { return value.json() }
    guard indent <= 1000 else { throw renderer.failure(.tooMuchWork(limit: 1000)) }
    // Each value stands on a line of its own, as deep as it is.
    let width = max(0, indent)
    let (spaces, overflow) = value.weight.multipliedReportingOverflow(
      by: width * (value.depth + 1))
    try renderer.count(bytes: overflow ? .max : spaces)
    return value.json(indent: width)
  }

  private static func absolute(
    _ value: TemplateValue, _ renderer: TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    if let number = value.integer, number != .min { return .integer(Swift.abs(number)) }
    guard let number = value.number else {
      throw renderer.failure(.wrongType(wanted: "a number", found: value.typeName))
    }
    return .float(Swift.abs(number))
  }

  private static func rounded(
    _ value: TemplateValue, _ arguments: TemplateArguments, _ renderer: TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    guard let number = value.number else {
      throw renderer.failure(.wrongType(wanted: "a number", found: value.typeName))
    }
    var scale = 1.0
    for _ in 0..<min(max(arguments[0, "precision"]?.integer ?? 0, 0), 15) { scale *= 10 }
    return .float((number * scale).rounded(.toNearestOrEven) / scale)
  }

  /// All lines but the first behind some spaces; empty lines stay empty.
  private static func indented(
    _ text: String, _ arguments: TemplateArguments, _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> String {
    let width = min(max(arguments[0, "width"]?.integer ?? 4, 0), 1000)
    try renderer.count(bytes: text.utf8.count { $0 == 0x0A } * width)
    let indentsFirst = arguments[1, "first"]?.isTrue ?? false
    let prefix = String(repeating: " ", count: width)
    return text.parted(by: "\n", atMost: nil).enumerated().map { i, line in
      line.isEmpty && i > 0 || i == 0 && !indentsFirst ? line : prefix + line
    }.joined(separator: "\n")
  }

  // MARK: Lists

  private static func list(
    _ filter: TemplateFilter, _ elements: [TemplateValue], _ value: TemplateValue,
    _ arguments: TemplateArguments, _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    switch filter {
    case .length, .count: return .integer(elements.count)
    case .first: return elements.first ?? .undefined("the first element")
    case .last: return elements.last ?? .undefined("the last element")
    case .list: return try renderer.list(elements)
    case .reverse:
      let reversed = Array(elements.reversed())
      return value.string == nil
        ? try renderer.list(reversed) : try renderer.string(reversed.map(\.text).joined())
    case .unique:
      var kept: [TemplateValue] = []
      for element in elements {
        if try !renderer.contains(.list(TemplateList(kept)), element) { kept.append(element) }
      }
      return try renderer.list(kept)
    case .sort: return try renderer.list(sorted(elements, &renderer))
    case .join:
      var parts = elements
      if let attribute = arguments[1, "attribute"] {
        parts = try members(of: elements, attribute, &renderer)
      }
      let separator = try renderer.printed(arguments[0, "d"] ?? .string(""))
      return try TemplateMethods.joined(parts, by: separator, &renderer)
    case .map: return try map(elements, arguments, &renderer)
    default: return try renderer.list(chosen(filter, elements, arguments, &renderer))
    }
  }

  private static func members(
    of elements: [TemplateValue], _ key: TemplateValue, _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> [TemplateValue] {
    var result: [TemplateValue] = []
    for element in elements { result.append(try renderer.member(of: element, key)) }
    return result
  }

  /// A stable sort by insertion from the back, so that an error can leave it.
  private static func sorted(
    _ elements: [TemplateValue], _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> [TemplateValue] {
    guard elements.count <= 1000 else { throw renderer.failure(.tooMuchWork(limit: 1000)) }
    var result: [TemplateValue] = []
    for element in elements {
      var place = result.count
      while place > 0, try renderer.isLess(element, result[place - 1]) { place -= 1 }
      result.insert(element, at: place)
    }
    return result
  }

  /// `map(attribute="x")` or `map("upper")`.
  private static func map(
    _ elements: [TemplateValue], _ arguments: TemplateArguments, _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> TemplateValue {
    if let attribute = arguments.named.first(where: { $0.key == "attribute" })?.value {
      return try renderer.list(members(of: elements, attribute, &renderer))
    }
    let name = try renderer.text(of: arguments[0, "filter"] ?? .null)
    guard let filter = TemplateFilter(rawValue: name), filter != .map else {
      throw renderer.failure(.unsupported("map by \(name)"))
    }
    let rest = TemplateArguments(positional: Array(arguments.positional.dropFirst()))
    var result: [TemplateValue] = []
    for element in elements { result.append(try apply(filter, to: element, rest, &renderer)) }
    return try renderer.list(result)
  }

  /// `select`, `reject`, `selectattr`, `rejectattr`: by truth, or by a test.
  private static func chosen(
    _ filter: TemplateFilter, _ elements: [TemplateValue], _ arguments: TemplateArguments,
    _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> [TemplateValue] {
    let byMember = filter == .selectattr || filter == .rejectattr
    let keeps = filter == .select || filter == .selectattr
    var rest = arguments.positional[...]
    let key = byMember ? rest.popFirst() ?? .null : .null
    var test: TemplateTest?
    if let name = rest.popFirst() {
      let word = try renderer.text(of: name)
      guard let known = TemplateTest(rawValue: word == "==" ? "eq" : word == "!=" ? "ne" : word)
      else {
        throw renderer.failure(.unsupported("the test \(word)"))
      }
      test = known
    }
    var result: [TemplateValue] = []
    for element in elements {
      let value = byMember ? try renderer.member(of: element, key) : element
      var holds = value.isTrue
      if let test { holds = try TemplateTests.passes(value, test, Array(rest), &renderer) }
      if holds == keeps { result.append(element) }
    }
    return result
  }
}

/// What the tests of `TemplateTest` ask.
enum TemplateTests {
  static func passes(
    _ value: TemplateValue, _ test: TemplateTest, _ arguments: [TemplateValue],
    _ renderer: inout TemplateRenderer
  ) throws(ChatTemplateError) -> Bool {
    let other = arguments.first ?? .null
    switch test {
    case .defined: return !value.isUndefined
    case .undefined: return value.isUndefined
    case .none: if case .null = value { return true } else { return false }
    case .string: return value.string != nil
    case .mapping:
      switch value {
      case .dictionary, .namespace: return true
      default: return false
      }
    case .iterable, .sequence:
      switch value {
      case .list, .dictionary, .string, .undefined: return true
      default: return false
      }
    case .number: return value.number != nil
    case .integer: if case .integer = value { return true } else { return false }
    case .float: if case .float = value { return true } else { return false }
    case .boolean: if case .bool = value { return true } else { return false }
    case .true: if case .bool(true) = value { return true } else { return false }
    case .false: if case .bool(false) = value { return true } else { return false }
    case .odd, .even, .divisibleby:
      guard let number = value.integer, let divisor = test == .divisibleby ? other.integer : 2
      else {
        throw renderer.failure(.wrongType(wanted: "a whole number", found: value.typeName))
      }
      guard divisor != 0 else { throw renderer.failure(.divisionByZero) }
      return number.isMultiple(of: divisor) != (test == .odd)
    case .equalto, .eq: return try renderer.areEqual(value, other)
    case .ne: return !(try renderer.areEqual(value, other))
    case .in: return try renderer.contains(other, value)
    case .lt: return try renderer.isLess(value, other)
    case .gt: return try renderer.isLess(other, value)
    case .le: return try renderer.isAtMost(value, other)
    case .ge: return try renderer.isAtMost(other, value)
    case .upper:
      let text = try renderer.printed(value)
      return text.uppercased() == text && text.lowercased() != text
    case .lower:
      let text = try renderer.printed(value)
      return text.lowercased() == text && text.uppercased() != text
    case .callable:
      switch value {
      case .macro, .function: return true
      default: return false
      }
    }
  }
}
