/// Gives back in their order what comes in another.
package struct InOrder<Value> {
  private var waiting: [Int: Value] = [:]
  private var next = 0

  package init() {}

  /// Adds number `number`, from 0.
  ///
  /// - Returns: Those whose turn has come.
  package mutating func add(_ value: Value, at number: Int) -> [Value] {
    waiting[number] = value
    var ready: [Value] = []
    while let value = waiting.removeValue(forKey: next) {
      ready.append(value)
      next += 1
    }
    return ready
  }
}
