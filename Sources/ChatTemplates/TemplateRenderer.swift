import JSON

/// Runs a template's statements.
struct TemplateRenderer {
  /// Most units of work that one text may take: statements, expressions and elements, and bytes by
  /// the `bytesPerUnit`.
  private static let workLimit = 1_000_000
  static let bytesPerUnit = 64
  /// Deepest nesting of lists and mappings, so that nothing that follows them runs out of stack.
  static let depthLimit = 100
  /// Deepest nesting of statements and expressions that run, macros included.
  private static let nestingLimit = 600
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
  private var macros: [(macro: TemplateStatement.Macro, scopes: Int)] = []
  private var nesting = 0
  private var work = 0
  /// What `strftime_now` writes; nil refuses it.
  let date: TemplateDate?
  /// Line of the statement that runs, for errors.
  private(set) var line = 1

  private enum Flow {
    case next
    case leaveLoop
    case continueLoop
  }

  init(_ variables: JSONObject, date: TemplateDate?) {
    self.date = date
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
    guard amount <= Self.workLimit - work else {
      throw failure(.tooMuchWork(limit: Self.workLimit))
    }
    work += max(amount, 0)
  }

  /// Counts the making of so many bytes, or looking at them.
  mutating func count(bytes: Int) throws(ChatTemplateError) {
    try count(1 + bytes / Self.bytesPerUnit)
  }

  /// Runs `body` one level deeper.
  mutating func nested<Result>(
    _ body: (inout Self) throws(ChatTemplateError) -> Result
  ) throws(ChatTemplateError) -> Result {
    guard nesting < Self.nestingLimit else { throw failure(.tooDeep(limit: Self.nestingLimit)) }
    nesting += 1
    defer { nesting -= 1 }
    return try body(&self)
  }

  // MARK: Values

  /// A list of `elements`.
  mutating func list(_ elements: [TemplateValue]) throws(ChatTemplateError) -> TemplateValue {
    try count(elements.count)
    let list = TemplateList(elements)
    guard list.depth <= Self.depthLimit else { throw failure(.tooDeep(limit: Self.depthLimit)) }
    return .list(list)
  }

  mutating func dictionary(
    _ members: [TemplateValue.Member]
  ) throws(ChatTemplateError) -> TemplateValue {
    try count(members.count)
    let dictionary = TemplateDictionary(members)
    guard dictionary.depth <= Self.depthLimit else {
      throw failure(.tooDeep(limit: Self.depthLimit))
    }
    return .dictionary(dictionary)
  }

  mutating func string(_ text: String) throws(ChatTemplateError) -> TemplateValue {
    try count(bytes: text.utf8.count)
    return .string(text)
  }

  /// What a value prints as.
  mutating func printed(_ value: TemplateValue) throws(ChatTemplateError) -> String {
    try count(value.weight)
    return value.text
  }

  mutating func areEqual(
    _ a: TemplateValue, _ b: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    try count(min(a.weight, b.weight))
    return a.equals(b)
  }

  // MARK: Names

  func lookUp(_ name: String) -> TemplateValue {
    for scope in scopes.reversed() {
      if let value = scope[name] { return value }
    }
    return TemplateFunction(rawValue: name).map { .function($0) } ?? .undefined(name)
  }

  mutating func makeNamespace(
    _ members: [TemplateValue.Member]
  ) throws(ChatTemplateError) -> TemplateValue {
    try count(members.count)
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
    try nested { (renderer) throws(ChatTemplateError) in try renderer.runEach(statements) }
  }

  private mutating func runEach(
    _ statements: [TemplateStatement]
  ) throws(ChatTemplateError) -> Flow {
    for statement in statements {
      try count()
      switch statement {
      case .text(let text): try write(text)
      case .output(let expression, let line):
        self.line = line
        try write(printed(value(of: expression)))
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
        let (text, flow) = try captured(body)
        try assign(target, .string(text))
        if flow != .next { return flow }
      case .macro(let macro): try define(macro)
      case .call(let body, let call, let line):
        self.line = line
        try runCall(body, call)
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

  /// The text that statements write.
  private mutating func captured(
    _ body: [TemplateStatement]
  ) throws(ChatTemplateError) -> (text: String, flow: Flow) {
    let before = output
    output = ""
    captures += 1
    let flow = try run(body)
    captures -= 1
    defer { output = before }
    return (output, flow)
  }

  private mutating func write(_ text: String) throws(ChatTemplateError) {
    try count(bytes: text.utf8.count)
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
      scopes[scopes.count - 1] = ["loop": try state(of: items, at: i)]
      try bind(loop.names, to: item)
      if try run(loop.body) == .leaveLoop { break }
    }
  }

  /// The variable `loop` in the round of element `i`.
  private mutating func state(
    of items: [TemplateValue], at i: Int
  ) throws(ChatTemplateError) -> TemplateValue {
    // It is gone after the round, and may be as deep as its items and a level more.
    .dictionary(
      TemplateDictionary([
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
      ]))
  }

  // MARK: Macros

  private mutating func define(
    _ macro: TemplateStatement.Macro
  ) throws(ChatTemplateError) {
    scopes[scopes.count - 1][macro.name] = makeMacro(macro)
  }

  private mutating func makeMacro(_ macro: TemplateStatement.Macro) -> TemplateValue {
    macros.append((macro, scopes.count))
    return .macro(macros.count - 1)
  }

  /// Runs a `call` block: its body is the macro `caller` of the one that is called.
  private mutating func runCall(
    _ body: TemplateStatement.Macro, _ call: TemplateExpression
  ) throws(ChatTemplateError) {
    guard case .call(let name, let arguments) = call, case .macro(let number) = lookUp(name) else {
      throw failure(.wrongType(wanted: "a macro", found: "another function"))
    }
    let passed = try values(of: arguments)
    let caller = makeMacro(body)
    try write(run(macro: number, passed, caller: caller))
  }

  /// The text of a macro, which sees the names around its definition and its parameters.
  mutating func run(
    macro number: Int, _ arguments: TemplateArguments, caller: TemplateValue? = nil
  ) throws(ChatTemplateError) -> String {
    let (macro, visible) = macros[number]
    guard arguments.positional.count <= macro.parameters.count else {
      throw failure(
        .wrongCount(wanted: macro.parameters.count, found: arguments.positional.count))
    }
    for named in arguments.named where !macro.parameters.contains(where: { $0.name == named.key }) {
      throw failure(.wrongType(wanted: "a parameter of \(macro.name)", found: named.key))
    }
    let outer = scopes
    scopes = Array(outer.prefix(visible)) + [[:]]
    defer { scopes = outer }
    if let caller { scopes[scopes.count - 1]["caller"] = caller }
    for (place, parameter) in macro.parameters.enumerated() {
      var value = TemplateValue.undefined(parameter.name)
      if let argument = arguments[place, parameter.name] {
        value = argument
      } else if let standard = parameter.standard {
        value = try self.value(of: standard)
      }
      scopes[scopes.count - 1][parameter.name] = value
    }
    return try captured(macro.body).text
  }

  /// What a loop over `value` runs through.
  mutating func elements(of value: TemplateValue) throws(ChatTemplateError) -> [TemplateValue] {
    let elements: [TemplateValue]
    switch value {
    case .list(let list): elements = list.elements
    case .dictionary(let dictionary): elements = dictionary.members.map { .string($0.key) }
    case .string(let text):
      try count(text.utf8.count / 4)
      elements = text.unicodeScalars.map { .string(String($0)) }
    case .undefined: elements = []
    default: throw failure(.wrongType(wanted: "a list", found: value.typeName))
    }
    try count(elements.count)
    return elements
  }
}
