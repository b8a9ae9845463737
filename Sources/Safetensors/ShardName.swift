/// The name of one file of a numbered set: `STEM-00002-of-00003.ENDING`.
package struct ShardName: Equatable, Sendable, CustomStringConvertible {
  package var stem: String
  /// From 1.
  package var number: Int
  package var count: Int
  /// What follows the numbers, with its dot.
  package var ending: String

  package init(stem: String, number: Int, count: Int, ending: String) {
    self.stem = stem
    self.number = number
    self.count = count
    self.ending = ending
  }

  /// Reads what `description` writes; nil for any other name.
  package init?(_ name: String) {
    guard let dot = name.lastIndex(of: ".") else { return nil }
    let parts = name[..<dot].split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count > 3, parts[parts.count - 2] == "of",
      let number = Int(parts[parts.count - 3]), let count = Int(parts[parts.count - 1])
    else { return nil }
    stem = parts.dropLast(3).joined(separator: "-")
    self.number = number
    self.count = count
    ending = String(name[dot...])
    guard description == name else { return nil }
  }

  package var description: String {
    "\(stem)-\(fiveDigits(number))-of-\(fiveDigits(count))\(ending)"
  }
}

private func fiveDigits(_ number: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
}
