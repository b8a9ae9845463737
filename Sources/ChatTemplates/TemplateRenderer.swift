import JSON

/// Runs a template's statements.
struct TemplateRenderer {
  /// Most statements, expressions and elements that one text may take.
  private static let workLimit = 1_000_000
  /// Longest text, in bytes.
  static let lengthLimit = 64 << 20

  private var output = ""
  /// Bytes of the output that the template marks as the assistant's.
  private(set) var answers: [Range<Int>] = []
  /// Blocks around the current statement whose text goes to a name.
  private var captures = 0
  /// Names by scope, the innermost last: a loop's names end with it.
  private var scopes: [[String: TemplateValue]]
  private var namespaces: [[TemplateValue.Member]] = []
  private var work = 0
  /// Line of the statement that runs, for errors.
  private(set) var line = 1

  private enum Flow {
    case next
    case leaveLoop
    case continueLoop
  }

  init(_ variables: JSONObject) {
    scopes = [
      Dictionary(
        variables.members.map { ($0.key, TemplateValue($0.value)) }, uniquingKeysWith: { _, b in b }
      )
    ]
  }

  mutating func render(_ statements: [TemplateStatement]) throws(ChatTemplateError) -> String {
    _ = try run(statements)
    return output
  }

  func failure(_ problem: ChatTemplateError.Problem) -> ChatTemplateError {
    ChatTemplateError(problem, line: line)
  }

  /// Counts `amount` units of work, so that no template runs forever.
  mutating func count(_ amount: Int = 1) throws(ChatTemplateError) {
    work += amount
    guard work <= Self.workLimit else { throw failure(.tooMuchWork(limit: Self.workLimit)) }
  }

  // MARK: Names

  func lookUp(_ name: String) -> TemplateValue {
    for scope in scopes.reversed() {
      if let value = scope[name] { return value }
    }
    return .undefined(name)
  }

  mutating func makeNamespace(_ members: [TemplateValue.Member]) -> TemplateValue {
    namespaces.append(members)
    return .namespace(namespaces.count - 1)
  }

  func namespaceMember(_ number: Int, _ key: String) -> TemplateValue? {
    namespaces[number].first { $0.key == key }?.value
  }

  private mutating func assign(
    _ target: TemplateStatement.Target, _ value: TemplateValue
  ) throws(ChatTemplateError) {
    switch target {
    case .names(let names): try bind(names, to: value)
    case .member(let name, let key):
      guard case .namespace(let number) = lookUp(name) else {
        throw failure(.wrongType(wanted: "a namespace", found: lookUp(name).typeName))
      }
      if let place = namespaces[number].firstIndex(where: { $0.key == key }) {
        namespaces[number][place].value = value
      } else {
        namespaces[number].append(.init(key: key, value: value))
      }
    }
  }

  private mutating func bind(
    _ names: [String], to value: TemplateValue
  ) throws(ChatTemplateError) {
    if names.count == 1 {
      scopes[scopes.count - 1][names[0]] = value
      return
    }
    let values = try elements(of: value)
    guard values.count == names.count else {
      throw failure(.wrongCount(wanted: names.count, found: values.count))
    }
    for (name, value) in zip(names, values) { scopes[scopes.count - 1][name] = value }
  }

  // MARK: Statements

  private mutating func run(_ statements: [TemplateStatement]) throws(ChatTemplateError) -> Flow {
    for statement in statements {
      try count()
      switch statement {
      case .text(let text): try write(text)
      case .output(let expression, let line):
        self.line = line
        try write(value(of: expression).text)
      case .branch(let branches):
        let flow = try run(branches)
        if flow != .next { return flow }
      case .loop(let loop):
        line = loop.line
        try run(loop)
      case .set(let target, let expression, let line):
        self.line = line
        try assign(target, value(of: expression))
      case .capture(let target, let body, let line):
        self.line = line
        let before = output
        output = ""
        captures += 1
        let flow = try run(body)
        captures -= 1
        let text = output
        output = before
        try assign(target, .string(text))
        if flow != .next { return flow }
      case .answer(let body):
        let start = output.utf8.count
        let flow = try run(body)
        if captures == 0 { answers.append(start..<output.utf8.count) }
        if flow != .next { return flow }
      case .leaveLoop: return .leaveLoop
      case .continueLoop: return .continueLoop
      }
    }
    return .next
  }

  private mutating func write(_ text: String) throws(ChatTemplateError) {
    output += text
    guard output.utf8.count <= Self.lengthLimit else {
      throw failure(.textTooLong(limit: Self.lengthLimit))
    }
  }

  private mutating func run(
    _ branches: [TemplateStatement.Branch]
  ) throws(ChatTemplateError) -> Flow {
    for branch in branches {
      line = branch.line
      let holds: Bool
      if let condition = branch.condition {
        holds = try value(of: condition).isTrue
      } else {
        holds = true
      }
      if holds { return try run(branch.body) }
    }
    return .next
  }

  private mutating func run(_ loop: TemplateStatement.Loop) throws(ChatTemplateError) {
    var items = try elements(of: value(of: loop.sequence))
    scopes.append([:])
    defer { scopes.removeLast() }
    if let filter = loop.filter {
      var kept: [TemplateValue] = []
      for item in items {
        try bind(loop.names, to: item)
        if try value(of: filter).isTrue { kept.append(item) }
      }
      items = kept
    }
    if items.isEmpty { _ = try run(loop.otherwise) }
    for (i, item) in items.enumerated() {
      try count()
      scopes[scopes.count - 1] = ["loop": Self.state(of: items, at: i)]
      try bind(loop.names, to: item)
      if try run(loop.body) == .leaveLoop { break }
    }
  }

  /// The variable `loop` in the round of element `i`.
  private static func state(of items: [TemplateValue], at i: Int) -> TemplateValue {
    .dictionary([
      .init(key: "index", value: .integer(i + 1)), .init(key: "index0", value: .integer(i)),
      .init(key: "revindex", value: .integer(items.count - i)),
      .init(key: "revindex0", value: .integer(items.count - i - 1)),
      .init(key: "first", value: .bool(i == 0)),
      .init(key: "last", value: .bool(i == items.count - 1)),
      .init(key: "length", value: .integer(items.count)),
      .init(
        key: "previtem", value: i > 0 ? items[i - 1] : .undefined("there is no previous item")),
      .init(
        key: "nextitem",
        value: i + 1 < items.count ? items[i + 1] : .undefined("there is no next item")),
    ])
  }

  /// What a loop over `value` runs through.
  mutating func elements(of value: TemplateValue) throws(ChatTemplateError) -> [TemplateValue] {
    let elements: [TemplateValue]
    switch value {
    case .list(let list): elements = list
    case .dictionary(let members): elements = members.map { .string($0.key) }
    case .string(let text): elements = text.unicodeScalars.map { .string(String($0)) }
    case .undefined: elements = []
    default: throw failure(.wrongType(wanted: "a list", found: value.typeName))
    }
    try count(elements.count)
    return elements
  }
}
