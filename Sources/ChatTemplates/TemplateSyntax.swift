/// A statement of a template.
indirect enum TemplateStatement: Equatable, Sendable {
  case text(String)
  case output(TemplateExpression, line: Int)
  /// Branches with their conditions; the last may have none.
  case branch([Branch])
  case loop(Loop)
  case set(Target, TemplateExpression, line: Int)
  /// `{% set x %}…{% endset %}`.
  case capture(Target, [TemplateStatement], line: Int)
  case leaveLoop
  case continueLoop
  /// `{% macro name(parameters) %}…{% endmacro %}`.
  case macro(Macro)
  /// `{% call(names) macro(…) %}…{% endcall %}`: the body is what the macro calls `caller`.
  case call(body: Macro, TemplateExpression, line: Int)
  /// `{% generation %}…{% endgeneration %}`: what the assistant writes.
  case answer([TemplateStatement])

  struct Branch: Equatable, Sendable {
    var condition: TemplateExpression?
    var body: [TemplateStatement]
    var line: Int
  }

  struct Loop: Equatable, Sendable {
    /// One name for each element, or several that unpack it.
    var names: [String]
    var sequence: TemplateExpression
    var filter: TemplateExpression?
    var body: [TemplateStatement]
    /// Runs when there is no element.
    var otherwise: [TemplateStatement]
    var line: Int
  }

  struct Macro: Equatable, Sendable {
    var name: String
    var parameters: [Parameter]
    var body: [TemplateStatement]

    struct Parameter: Equatable, Sendable {
      var name: String
      var standard: TemplateExpression?
    }
  }

  /// What `set` assigns: a name, several that unpack the value, or a member of a namespace.
  enum Target: Equatable, Sendable {
    case names([String])
    case member(namespace: String, String)
  }
}

/// An expression of a template.
indirect enum TemplateExpression: Equatable, Sendable {
  case literal(TemplateValue)
  case name(String)
  case list([TemplateExpression])
  case dictionary([Pair])
  /// `a.key` or `a[key]`.
  case member(TemplateExpression, TemplateExpression)
  /// `a[start:stop:step]`.
  case slice(TemplateExpression, [TemplateExpression?])
  case call(String, Arguments)
  case method(TemplateExpression, String, Arguments)
  case filter(TemplateExpression, TemplateFilter, Arguments)
  case test(TemplateExpression, TemplateTest, [TemplateExpression])
  case not(TemplateExpression)
  case negative(TemplateExpression)
  case binary(TemplateExpression, String, TemplateExpression)
  case conditional(TemplateExpression, TemplateExpression, otherwise: TemplateExpression?)

  struct Pair: Equatable, Sendable {
    var key: TemplateExpression
    var value: TemplateExpression
  }

  struct Arguments: Equatable, Sendable {
    var positional: [TemplateExpression] = []
    var named: [Named] = []

    struct Named: Equatable, Sendable {
      var name: String
      var value: TemplateExpression
    }
  }
}

/// The filters that templates may use.
enum TemplateFilter: String, Sendable {
  case trim, tojson, upper, lower, capitalize, title, `default`, d, length, count, first, last
  case join, list, string, int, float, replace, reverse, items, map, select, reject, selectattr
  case rejectattr, safe, indent, abs, round, unique, sort
}

/// The tests that may follow `is`.
enum TemplateTest: String, Sendable {
  case defined, undefined, none, string, mapping, iterable, sequence, number, integer, float
  case boolean, `true`, `false`, odd, even, divisibleby, equalto, eq, ne, `in`, lt, le, gt, ge
  case upper, lower, callable
}
