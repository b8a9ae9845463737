extension TemplateRenderer {
  /// Evaluates an expression.
  mutating func value(of expression: TemplateExpression) throws(ChatTemplateError) -> TemplateValue
  {
    try nested { (renderer) throws(ChatTemplateError) in try renderer.evaluated(expression) }
  }

  private mutating func evaluated(
    _ expression: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateValue {
    try count()
    switch expression {
    case .literal(let value): return value
    case .name(let name): return lookUp(name)
    case .list(let elements): return try list(values(of: elements))
    case .dictionary(let pairs):
      var members: [TemplateValue.Member] = []
      for pair in pairs {
        let key = try text(of: value(of: pair.key))
        try count(members.count)
        members.removeAll { $0.key.utf8.elementsEqual(key.utf8) }
        members.append(.init(key: key, value: try value(of: pair.value)))
      }
      return try dictionary(members)
    case .member(let object, let key):
      return try member(of: value(of: object), value(of: key))
    case .slice(let object, let bounds): return try slice(value(of: object), bounds)
    case .call(let name, let arguments): return try call(name, arguments)
    case .method(let object, let name, let arguments):
      return try TemplateMethods.call(name, on: value(of: object), values(of: arguments), &self)
    case .filter(let object, let filter, let arguments):
      let object = try value(of: object)
      return try TemplateFilters.apply(filter, to: object, values(of: arguments), &self)
    case .test(let object, let test, let arguments):
      let object = try value(of: object)
      let arguments = try values(of: arguments)
      return .bool(try TemplateTests.passes(object, test, arguments, &self))
    case .not(let operand): return .bool(!(try value(of: operand).isTrue))
    case .negative(let operand):
      return try arithmetic("-", .integer(0), value(of: operand))
    case .binary(let left, let symbol, let right): return try binary(left, symbol, right)
    case .conditional(let condition, let then, let otherwise):
      if try value(of: condition).isTrue { return try value(of: then) }
      return try otherwise.map { (otherwise) throws(ChatTemplateError) in try value(of: otherwise) }
        ?? .undefined("the other branch")
    }
  }

  private mutating func values(
    of expressions: [TemplateExpression]
  ) throws(ChatTemplateError) -> [TemplateValue] {
    var result: [TemplateValue] = []
    for expression in expressions { result.append(try value(of: expression)) }
    return result
  }

  mutating func values(
    of arguments: TemplateExpression.Arguments
  ) throws(ChatTemplateError) -> TemplateArguments {
    var named: [TemplateValue.Member] = []
    for argument in arguments.named {
      named.append(.init(key: argument.name, value: try value(of: argument.value)))
    }
    return TemplateArguments(positional: try values(of: arguments.positional), named: named)
  }

  func text(of value: TemplateValue) throws(ChatTemplateError) -> String {
    guard case .string(let text) = value else {
      throw failure(.wrongType(wanted: "a string", found: value.typeName))
    }
    return text
  }

  // MARK: Members

  mutating func member(
    of object: TemplateValue, _ key: TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue {
    switch object {
    case .undefined(let name): throw failure(.undefined(name))
    case .dictionary:
      guard case .string(let name) = key else { return .undefined(key.typeName) }
      try count(object.memberCount)
      return object.member(name) ?? .undefined(name)
    case .namespace(let number):
      guard case .string(let name) = key else { return .undefined(key.typeName) }
      return namespaceMember(number, name) ?? .undefined(name)
    case .list(let list):
      guard let index = key.integer else { return .undefined(key.string ?? key.typeName) }
      let elements = list.elements
      let place = index < 0 ? index + elements.count : index
      return elements.indices.contains(place) ? elements[place] : .undefined("element \(index)")
    case .string(let text):
      guard let index = key.integer else { return .undefined(key.string ?? key.typeName) }
      try count(bytes: text.utf8.count)
      let scalars = Array(text.unicodeScalars)
      let place = index < 0 ? index + scalars.count : index
      return scalars.indices.contains(place)
        ? .string(String(scalars[place])) : .undefined("character \(index)")
    default: return .undefined(key.string ?? key.typeName)
    }
  }

  private mutating func slice(
    _ object: TemplateValue, _ bounds: [TemplateExpression?]
  ) throws(ChatTemplateError) -> TemplateValue {
    var numbers: [Int?] = [nil, nil, nil]
    for (i, bound) in bounds.enumerated() {
      guard let bound else { continue }
      let value = try value(of: bound)
      guard value != .null else { continue }
      guard let number = value.integer else {
        throw failure(.wrongType(wanted: "a number", found: value.typeName))
      }
      numbers[i] = number
    }
    let isString = object.string != nil
    if !isString {
      guard case .list = object else {
        throw failure(.wrongType(wanted: "a list or a string", found: object.typeName))
      }
    }
    let items = try elements(of: object)
    let step = numbers[2] ?? 1
    guard step != 0 else { throw failure(.wrongType(wanted: "a step", found: "zero")) }
    // Bounds count from the end when negative, and stop at the ends.
    func place(_ number: Int?, _ standard: Int, _ low: Int, _ high: Int) -> Int {
      guard let number else { return standard }
      return min(
        max(number < 0 ? number.addingReportingOverflow(items.count).partialValue : number, low),
        high)
    }
    var result: [TemplateValue] = []
    if step > 0 {
      let start = place(numbers[0], 0, 0, items.count)
      let end = place(numbers[1], items.count, 0, items.count)
      if start < end { result = stride(from: start, to: end, by: step).map { items[$0] } }
    } else {
      let start = place(numbers[0], items.count - 1, -1, items.count - 1)
      let end = place(numbers[1], -1, -1, items.count - 1)
      if start > end { result = stride(from: start, to: end, by: step).map { items[$0] } }
    }
    return isString ? try string(result.map(\.text).joined()) : try list(result)
  }

  // MARK: Functions

  private mutating func call(
    _ name: String, _ arguments: TemplateExpression.Arguments
  ) throws(ChatTemplateError) -> TemplateValue {
    let callee = lookUp(name)
    let arguments = try values(of: arguments)
    switch callee {
    case .macro(let number): return .string(try run(macro: number, arguments))
    case .function(.raiseException):
      throw failure(.raised(try printed(arguments[0, "message"] ?? .string(""))))
    case .function(.namespace): return try makeNamespace(arguments.named)
    case .function(.dict): return try dictionary(arguments.named)
    case .function(.range): return try range(arguments)
    case .function(.strftimeNow):
      guard let date else { throw failure(.dateNeeded) }
      let format = try text(of: arguments[0, "format"] ?? .null)
      try count(bytes: format.utf8.count * 8)
      guard let text = date.formatted(format) else {
        throw failure(.unsupported("the date format \"\(format)\""))
      }
      return .string(text)
    case .undefined: throw failure(.undefined(name))
    default: throw failure(.wrongType(wanted: "a function", found: callee.typeName))
    }
  }

  /// Python's `range`, of at most as many numbers as Jinja's sandbox allows.
  private mutating func range(_ arguments: TemplateArguments) throws(ChatTemplateError)
    -> TemplateValue
  {
    var numbers: [Int] = []
    for value in arguments.positional {
      guard let number = value.integer, number.magnitude <= 1 << 40 else {
        throw failure(.wrongType(wanted: "a number", found: value.typeName))
      }
      numbers.append(number)
    }
    guard (1...3).contains(numbers.count), numbers.count < 3 || numbers[2] != 0 else {
      throw failure(.wrongCount(wanted: 2, found: numbers.count))
    }
    let start = numbers.count > 1 ? numbers[0] : 0
    let end = numbers.count > 1 ? numbers[1] : numbers[0]
    let step = numbers.count > 2 ? numbers[2] : 1
    guard abs((end - start) / step) <= 100_000 else {
      throw failure(.tooMuchWork(limit: 100_000))
    }
    return try list(stride(from: start, to: end, by: step).map { .integer($0) })
  }

  // MARK: Operators

  private mutating func binary(
    _ left: TemplateExpression, _ symbol: String, _ right: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateValue {
    let a = try value(of: left)
    switch symbol {
    case "and": return a.isTrue ? try value(of: right) : a
    case "or": return a.isTrue ? a : try value(of: right)
    default: break
    }
    let b = try value(of: right)
    switch symbol {
    case "==": return .bool(try areEqual(a, b))
    case "!=": return .bool(!(try areEqual(a, b)))
    case "<": return .bool(try isLess(a, b))
    case ">": return .bool(try isLess(b, a))
    case "<=": return .bool(try isAtMost(a, b))
    case ">=": return .bool(try isAtMost(b, a))
    case "in": return .bool(try contains(b, a))
    case "not in": return .bool(!(try contains(b, a)))
    case "~": return try string(printed(a) + printed(b))
    default: return try arithmetic(symbol, a, b)
    }
  }

  mutating func isLess(_ a: TemplateValue, _ b: TemplateValue) throws(ChatTemplateError) -> Bool {
    if let a = a.number, let b = b.number { return a < b }
    guard let a = a.string, let b = b.string else {
      throw failure(.wrongType(wanted: "two numbers or two strings", found: "\(a.typeName)"))
    }
    try count(bytes: min(a.utf8.count, b.utf8.count))
    return a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars)
  }

  mutating func isAtMost(
    _ a: TemplateValue, _ b: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    if try isLess(a, b) { return true }
    return try areEqual(a, b)
  }

  mutating func contains(
    _ whole: TemplateValue, _ part: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    switch whole {
    case .string(let text):
      let bytes = Array(text.utf8)
      let wanted = Array(try self.text(of: part).utf8)
      try count(bytes: bytes.count + wanted.count)
      return wanted.isEmpty || ByteSearch(for: wanted).first(in: bytes) != nil
    case .list(let list):
      for element in list.elements {
        if try areEqual(element, part) { return true }
      }
      return false
    case .dictionary:
      try count(whole.memberCount)
      return part.string.map { whole.member($0) != nil } ?? false
    case .undefined: return false
    default: throw failure(.wrongType(wanted: "a list", found: whole.typeName))
    }
  }

  mutating func arithmetic(
    _ symbol: String, _ a: TemplateValue, _ b: TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue {
    switch (symbol, a, b) {
    case ("+", .string(let a), .string(let b)):
      try count(bytes: a.utf8.count + b.utf8.count)
      return .string(a + b)
    case ("+", .list(let a), .list(let b)):
      try count(a.elements.count + b.elements.count)
      return try list(a.elements + b.elements)
    case ("*", .string(let text), .integer(let times)):
      let (length, overflow) = text.utf8.count.multipliedReportingOverflow(by: max(times, 0))
      guard !overflow, length <= Self.lengthLimit else {
        throw failure(.textTooLong(limit: Self.lengthLimit))
      }
      try count(bytes: length)
      return .string(String(repeating: text, count: max(times, 0)))
    default: break
    }
    guard let x = a.number, let y = b.number else {
      let odd = a.number == nil ? a : b
      throw failure(.wrongType(wanted: "numbers beside \(symbol)", found: odd.typeName))
    }
    if y == 0, ["/", "//", "%"].contains(symbol) { throw failure(.divisionByZero) }
    if symbol != "/", let a = a.integer, let b = b.integer { return try integers(symbol, a, b) }
    switch symbol {
    case "+": return .float(x + y)
    case "-": return .float(x - y)
    case "*": return .float(x * y)
    case "/": return .float(x / y)
    case "//": return .float((x / y).rounded(.down))
    default: return .float(x - y * (x / y).rounded(.down))
    }
  }

  private func integers(_ symbol: String, _ a: Int, _ b: Int) throws(ChatTemplateError)
    -> TemplateValue
  {
    let (value, overflow) =
      switch symbol {
      case "+": a.addingReportingOverflow(b)
      case "-": a.subtractingReportingOverflow(b)
      case "*": a.multipliedReportingOverflow(by: b)
      case "//": a.dividedReportingOverflow(by: b)
      default: a.remainderReportingOverflow(dividingBy: b)
      }
    guard !overflow else { throw failure(.overflow) }
    // Python rounds quotients down, and remainders take the divisor's sign.
    guard symbol == "//" || symbol == "%" else { return .integer(value) }
    let remainder = a % b
    let isUneven = remainder != 0 && (remainder < 0) != (b < 0)
    if !isUneven { return .integer(value) }
    return .integer(symbol == "//" ? value - 1 : value + b)
  }
}

/// What a call passes.
struct TemplateArguments {
  var positional: [TemplateValue] = []
  var named: [TemplateValue.Member] = []

  /// The argument at a place or of a name.
  subscript(place: Int, name: String) -> TemplateValue? {
    positional.indices.contains(place)
      ? positional[place] : named.first { $0.key == name }?.value
  }
}
