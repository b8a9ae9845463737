extension TemplateParser {
  /// Reads an expression; `a, b` is a list where a tuple may stand.
  mutating func expression(allowsTuple: Bool) throws(ChatTemplateError) -> TemplateExpression {
    let first = try conditional()
    guard allowsTuple, current == .symbol(",") else { return first }
    var elements = [first]
    while take(",") { elements.append(try conditional()) }
    return .list(elements)
  }

  private mutating func conditional() throws(ChatTemplateError) -> TemplateExpression {
    try nested { (parser) throws(ChatTemplateError) in
      var value = try parser.disjunction()
      while parser.take("if") {
        try parser.countPart()
        let condition = try parser.disjunction()
        let otherwise = parser.take("else") ? try parser.conditional() : nil
        value = .conditional(condition, value, otherwise: otherwise)
      }
      return value
    }
  }

  /// An expression without `if … else`, as a loop's sequence is.
  mutating func disjunction() throws(ChatTemplateError) -> TemplateExpression {
    try chain(["or"]) { (parser) throws(ChatTemplateError) in
      try parser.chain(["and"]) { (parser) throws(ChatTemplateError) in try parser.negation() }
    }
  }

  /// Operands joined by any of `operators`, from the left.
  private mutating func chain(
    _ operators: [String], _ operand: (inout Self) throws(ChatTemplateError) -> TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    var left = try operand(&self)
    while let symbol = takeAny(operators) {
      try countPart()
      left = .binary(left, symbol, try operand(&self))
    }
    return left
  }

  private mutating func takeAny(_ words: [String]) -> String? {
    for word in words where take(word) { return word }
    return nil
  }

  private mutating func negation() throws(ChatTemplateError) -> TemplateExpression {
    guard take("not") else { return try comparison() }
    try countPart()
    return .not(
      try nested { (parser) throws(ChatTemplateError) in
        try parser.negation()
      })
  }

  /// `a < b <= c` means `a < b and b <= c`.
  private mutating func comparison() throws(ChatTemplateError) -> TemplateExpression {
    var left = try sum()
    var result: TemplateExpression?
    while let symbol = comparisonSymbol() {
      try countPart()
      let right = try sum()
      let step = TemplateExpression.binary(left, symbol, right)
      result = result.map { .binary($0, "and", step) } ?? step
      left = right
    }
    return result ?? left
  }

  private mutating func comparisonSymbol() -> String? {
    if let symbol = takeAny(["==", "!=", "<=", ">=", "<", ">", "in"]) { return symbol }
    guard current == .name("not"), following == .name("in") else { return nil }
    step()
    step()
    return "not in"
  }

  private mutating func sum() throws(ChatTemplateError) -> TemplateExpression {
    try chain(["+", "-"]) { (parser) throws(ChatTemplateError) in
      try parser.chain(["~"]) { (parser) throws(ChatTemplateError) in
        try parser.chain(["*", "//", "/", "%"]) { (parser) throws(ChatTemplateError) in
          try parser.unary(filters: true)
        }
      }
    }
  }

  /// A sign binds tighter than a filter: `-1|abs` is `(-1)|abs`.
  private mutating func unary(filters: Bool) throws(ChatTemplateError) -> TemplateExpression {
    var value: TemplateExpression
    if take("-") {
      try countPart()
      value = .negative(
        try nested { (parser) throws(ChatTemplateError) in
          try parser.unary(filters: false)
        })
    } else if take("+") {
      try countPart()
      value = try nested { (parser) throws(ChatTemplateError) in
        try parser.unary(filters: false)
      }
    } else {
      value = try postfix(primary())
    }
    if current == .symbol("**") { throw unsupported("the operator **") }
    while filters {
      if take("|") {
        value = try filter(of: value)
      } else if take("is") {
        value = try test(of: value)
      } else {
        break
      }
      try countPart()
    }
    return value
  }

  // MARK: Parts

  private mutating func primary() throws(ChatTemplateError) -> TemplateExpression {
    try countPart()
    switch current {
    case .name(let name):
      step()
      switch name {
      case "true", "True": return .literal(.bool(true))
      case "false", "False": return .literal(.bool(false))
      case "none", "None": return .literal(.null)
      default: break
      }
      if current == .symbol("(") {
        return .call(name, try arguments())
      }
      return .name(name)
    case .string(var text):
      step()
      while case .string(let more) = current {
        text += more
        step()
      }
      return .literal(.string(text))
    case .integer(let value):
      step()
      return .literal(.integer(value))
    case .float(let value):
      step()
      return .literal(.float(value))
    case .symbol("("):
      step()
      if take(")") { return .list([]) }
      let value = try expression(allowsTuple: true)
      try expect(")")
      return value
    case .symbol("["):
      step()
      return .list(try elements(until: "]"))
    case .symbol("{"):
      step()
      return try dictionary()
    default: throw syntax("an expression")
    }
  }

  private mutating func elements(
    until end: String
  ) throws(ChatTemplateError) -> [TemplateExpression] {
    var elements: [TemplateExpression] = []
    while !take(end) {
      if !elements.isEmpty {
        try expect(",")
        if take(end) { break }
      }
      elements.append(try expression(allowsTuple: false))
    }
    return elements
  }

  private mutating func dictionary() throws(ChatTemplateError) -> TemplateExpression {
    var pairs: [TemplateExpression.Pair] = []
    while !take("}") {
      if !pairs.isEmpty {
        try expect(",")
        if take("}") { break }
      }
      let key = try expression(allowsTuple: false)
      try expect(":")
      pairs.append(.init(key: key, value: try expression(allowsTuple: false)))
    }
    return .dictionary(pairs)
  }

  private mutating func postfix(
    _ start: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    var value = start
    while true {
      if take(".") {
        try countPart()
        if case .integer(let index) = current {
          step()
          value = .member(value, .literal(.integer(index)))
          continue
        }
        let name = try name()
        value =
          current == .symbol("(")
          ? .method(value, try checkedMethod(name), try arguments())
          : .member(value, .literal(.string(name)))
      } else if take("[") {
        try countPart()
        value = try index(of: value)
      } else if current == .symbol("(") {
        throw unsupported("a call of something that is not a function")
      } else {
        return value
      }
    }
  }

  private func checkedMethod(_ name: String) throws(ChatTemplateError) -> String {
    guard TemplateMethods.names.contains(name) else { throw unsupported("the method \(name)") }
    return name
  }

  private mutating func index(
    of value: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    var parts: [TemplateExpression?] = [nil]
    while !take("]") {
      if take(":") {
        guard parts.count < 3 else { throw syntax("\"]\"") }
        parts.append(nil)
      } else {
        guard parts[parts.count - 1] == nil else { throw syntax("\"]\"") }
        parts[parts.count - 1] = try expression(allowsTuple: false)
      }
    }
    if parts.count > 1 { return .slice(value, parts) }
    guard let key = parts[0] else { throw syntax("an index") }
    return .member(value, key)
  }

  private mutating func arguments() throws(ChatTemplateError) -> TemplateExpression.Arguments {
    try expect("(")
    var arguments = TemplateExpression.Arguments()
    var isFirst = true
    while !take(")") {
      if !isFirst {
        try expect(",")
        if take(")") { break }
      }
      isFirst = false
      if case .name(let name) = current, following == .symbol("=") {
        step()
        step()
        arguments.named.append(.init(name: name, value: try expression(allowsTuple: false)))
      } else {
        arguments.positional.append(try expression(allowsTuple: false))
      }
    }
    return arguments
  }

  private mutating func filter(
    of value: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    let word = try name()
    guard let filter = TemplateFilter(rawValue: word) else {
      throw unsupported("the filter \(word)")
    }
    let arguments = current == .symbol("(") ? try arguments() : .init()
    return .filter(value, filter, arguments)
  }

  private mutating func test(
    of value: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    let isNegated = take("not")
    let word = try name()
    guard let test = TemplateTest(rawValue: word.lowercased()) else {
      throw unsupported("the test \(word)")
    }
    var arguments: [TemplateExpression] = []
    switch current {
    case .symbol("("): arguments = try self.arguments().positional
    case .string, .integer, .float, .symbol("["), .symbol("{"):
      arguments = [try postfix(primary())]
    case .name(let word) where !["and", "or", "else", "if", "is", "in", "not"].contains(word):
      arguments = [try postfix(primary())]
    default: break
    }
    let result = TemplateExpression.test(value, test, arguments)
    return isNegated ? .not(result) : result
  }
}
