/// Reads a template's words as statements.
struct TemplateParser {
  /// Deepest nesting of statements, and of brackets in expressions.
  static let depthLimit = 50
  /// Most parts of one expression, which bounds how deep its evaluation goes.
  static let partLimit = 400

  private let tokens: [TemplateToken]
  private var position = 0
  private var depth = 0
  private var parts = 0

  init(_ source: String) throws(ChatTemplateError) { tokens = try TemplateLexer.tokens(of: source) }

  mutating func template() throws(ChatTemplateError) -> [TemplateStatement] {
    let body = try statements(until: [])
    guard current == .end else { throw syntax("the end") }
    return body
  }

  // MARK: Words

  var current: TemplateToken.Kind { tokens[position].kind }
  /// The word after the current one.
  var following: TemplateToken.Kind { tokens[min(position + 1, tokens.count - 1)].kind }
  var line: Int { tokens[position].line }

  mutating func step() { if position + 1 < tokens.count { position += 1 } }

  /// Steps over the symbol or name `word`, if it stands here.
  mutating func take(_ word: String) -> Bool {
    guard current == .symbol(word) || current == .name(word) else { return false }
    step()
    return true
  }

  mutating func expect(_ word: String) throws(ChatTemplateError) {
    guard take(word) else { throw syntax("\"\(word)\"") }
  }

  mutating func name() throws(ChatTemplateError) -> String {
    guard case .name(let name) = current else { throw syntax("a name") }
    step()
    return name
  }

  func syntax(_ wanted: String) -> ChatTemplateError {
    let found =
      switch current {
      case .text: "text"
      case .outputStart: "{{"
      case .outputEnd: "}}"
      case .blockStart: "{%"
      case .blockEnd: "%}"
      case .name(let name): name
      case .string(let text): "\"\(text)\""
      case .integer(let value): "\(value)"
      case .float(let value): "\(value)"
      case .symbol(let symbol): symbol
      case .end: "the end"
      }
    return ChatTemplateError(.syntax(wanted: wanted, found: found), line: line)
  }

  func unsupported(_ what: String) -> ChatTemplateError {
    ChatTemplateError(.unsupported(what), line: line)
  }

  /// Runs `body` one level deeper.
  mutating func nested<Result>(
    _ body: (inout Self) throws(ChatTemplateError) -> Result
  ) throws(ChatTemplateError) -> Result {
    guard depth < Self.depthLimit else {
      throw ChatTemplateError(.tooDeep(limit: Self.depthLimit), line: line)
    }
    depth += 1
    defer { depth -= 1 }
    return try body(&self)
  }

  /// Counts one part of the expression being read.
  mutating func countPart() throws(ChatTemplateError) {
    parts += 1
    guard parts <= Self.partLimit else {
      throw ChatTemplateError(.tooLong(limit: Self.partLimit), line: line)
    }
  }

  // MARK: Statements

  private mutating func statements(
    until ends: Set<String>
  ) throws(ChatTemplateError) -> [TemplateStatement] {
    var result: [TemplateStatement] = []
    while true {
      parts = 0
      switch current {
      case .end: return result
      case .text(let text):
        result.append(.text(text))
        step()
      case .outputStart:
        let line = line
        step()
        result.append(.output(try expression(allowsTuple: true), line: line))
        guard current == .outputEnd else { throw syntax("}}") }
        step()
      default:
        step()
        let keyword = try name()
        if ends.contains(keyword) {
          position -= 1
          return result
        }
        let statement = try nested { (parser) throws(ChatTemplateError) in
          try parser.statement(keyword)
        }
        result += statement
        try blockEnd()
      }
    }
  }

  private mutating func blockEnd() throws(ChatTemplateError) {
    guard current == .blockEnd else { throw syntax("%}") }
    step()
  }

  /// The statements up to one of `ends`, after the rest of the tag; steps over that keyword.
  private mutating func body(
    until ends: Set<String>
  ) throws(ChatTemplateError) -> (statements: [TemplateStatement], end: String) {
    try blockEnd()
    let statements = try statements(until: ends)
    guard current != .end else { throw syntax(ends.sorted().joined(separator: " or ")) }
    return (statements, try name())
  }

  private mutating func statement(_ keyword: String) throws(ChatTemplateError)
    -> [TemplateStatement]
  {
    switch keyword {
    case "if": return [try branch()]
    case "for": return [try loop()]
    case "set": return [try assignment()]
    case "break": return [.leaveLoop]
    case "continue": return [.continueLoop]
    case "macro": return [.macro(try macro())]
    case "call": return [try callBlock()]
    case "generation": return [.answer(try body(until: ["endgeneration"]).statements)]
    case "elif", "else", "endif", "endfor", "endset", "endgeneration", "endmacro", "endcall":
      position -= 1
      throw syntax("a statement")
    default: throw unsupported("{% \(keyword) %}")
    }
  }

  private mutating func branch() throws(ChatTemplateError) -> TemplateStatement {
    var branches: [TemplateStatement.Branch] = []
    var condition: TemplateExpression? = try expression(allowsTuple: false)
    while true {
      let line = line
      let ends: Set = condition == nil ? ["endif"] : ["elif", "else", "endif"]
      let (body, end) = try body(until: ends)
      branches.append(.init(condition: condition, body: body, line: line))
      if end == "endif" { return .branch(branches) }
      parts = 0
      condition = end == "elif" ? try expression(allowsTuple: false) : nil
    }
  }

  private mutating func loop() throws(ChatTemplateError) -> TemplateStatement {
    let line = line
    let names = try names()
    try expect("in")
    let sequence = try disjunction()
    let filter = take("if") ? try disjunction() : nil
    if current == .name("recursive") { throw unsupported("a recursive loop") }
    var (body, end) = try body(until: ["else", "endfor"])
    var otherwise: [TemplateStatement] = []
    if end == "else" { (otherwise, end) = try self.body(until: ["endfor"]) }
    return .loop(
      .init(
        names: names, sequence: sequence, filter: filter, body: body, otherwise: otherwise,
        line: line))
  }

  private mutating func macro() throws(ChatTemplateError) -> TemplateStatement.Macro {
    let name = try name()
    guard current == .symbol("(") else { throw syntax("\"(\"") }
    let parameters = try parameters()
    return .init(
      name: name, parameters: parameters, body: try body(until: ["endmacro"]).statements)
  }

  private mutating func callBlock() throws(ChatTemplateError) -> TemplateStatement {
    let line = line
    let parameters = current == .symbol("(") ? try parameters() : []
    let call = try expression(allowsTuple: false)
    guard case .call = call else { throw syntax("a call of a macro") }
    let body = try body(until: ["endcall"]).statements
    return .call(body: .init(name: "caller", parameters: parameters, body: body), call, line: line)
  }

  private mutating func parameters()
    throws(ChatTemplateError) -> [TemplateStatement.Macro.Parameter]
  {
    try expect("(")
    var parameters: [TemplateStatement.Macro.Parameter] = []
    while !take(")") {
      if !parameters.isEmpty {
        try expect(",")
        if take(")") { break }
      }
      try countPart()
      let name = try name()
      let standard = take("=") ? try expression(allowsTuple: false) : nil
      parameters.append(.init(name: name, standard: standard))
    }
    return parameters
  }

  private mutating func names() throws(ChatTemplateError) -> [String] {
    let hasBracket = take("(")
    var names = [try name()]
    while take(",") { names.append(try name()) }
    if hasBracket { try expect(")") }
    return names
  }

  private mutating func assignment() throws(ChatTemplateError) -> TemplateStatement {
    let line = line
    let names = try names()
    var target = TemplateStatement.Target.names(names)
    if names.count == 1, take(".") { target = .member(namespace: names[0], try name()) }
    if take("=") { return .set(target, try expression(allowsTuple: true), line: line) }
    if current == .symbol("|") { throw unsupported("{% set %} with a filter over a block") }
    return .capture(target, try body(until: ["endset"]).statements, line: line)
  }
}
