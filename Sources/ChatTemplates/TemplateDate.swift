/// A day and a time of day, as `strftime_now` writes them.
package struct TemplateDate: Equatable, Sendable {
  package var year: Int
  /// From 1.
  package var month: Int
  package var day: Int
  package var hour = 0
  package var minute = 0
  package var second = 0

  package init(year: Int, month: Int, day: Int) {
    self.year = year
    self.month = month
    self.day = day
  }

  /// Reads `2026-11-29`; nil when it is no day.
  package init?(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.count == 3, parts.map(\.count) == [4, 2, 2],
      parts.joined().allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    let numbers = parts.map { $0.reduce(0) { $0 * 10 + Int($1 - 0x30) } }
    self.init(year: numbers[0], month: numbers[1], day: numbers[2])
    guard year > 0, (1...12).contains(month), (1...Self.length(of: month, in: year)).contains(day)
    else { return nil }
  }

  private static func isLeap(_ year: Int) -> Bool {
    year.isMultiple(of: 4) && !year.isMultiple(of: 100) || year.isMultiple(of: 400)
  }

  private static func length(of month: Int, in year: Int) -> Int {
    month == 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  /// From 1.
  private var dayOfYear: Int {
    (1..<month).reduce(day) { $0 + Self.length(of: $1, in: year) }
  }

  /// From 0 for Sunday; days are counted from 1 January of the year 1, a Monday.
  private var weekday: Int {
    let before = year - 1
    return (before * 365 + before / 4 - before / 100 + before / 400 + dayOfYear) % 7
  }

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]
  private static let days = [
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
  ]

  /// The date by a format of Python's `strftime`, in the C locale; nil when a directive is none of
  /// those that mean the same everywhere.
  package func formatted(_ format: String) -> String? {
    var result = ""
    var rest = format.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "%" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      var isPadded = true
      if rest.first == "-" {
        rest.removeFirst()
        isPadded = false
      }
      guard let directive = rest.popFirst(), let part = part(directive, isPadded: isPadded) else {
        return nil
      }
      result += part
    }
    return result
  }

  private func part(_ directive: Unicode.Scalar, isPadded: Bool) -> String? {
    func number(_ value: Int, _ width: Int) -> String {
      let digits = "\(value)"
      return isPadded
        ? String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits : digits
    }
    switch directive {
    case "Y": return "\(year)"
    case "y": return number(year % 100, 2)
    case "m": return number(month, 2)
    case "d": return number(day, 2)
    case "H": return number(hour, 2)
    case "I": return number((hour + 11) % 12 + 1, 2)
    case "M": return number(minute, 2)
    case "S": return number(second, 2)
    case "j": return number(dayOfYear, 3)
    case "B": return Self.months[month - 1]
    case "b", "h": return String(Self.months[month - 1].prefix(3))
    case "A": return Self.days[weekday]
    case "a": return String(Self.days[weekday].prefix(3))
    case "p": return hour < 12 ? "AM" : "PM"
    case "F": return "\(year)-\(number(month, 2))-\(number(day, 2))"
    case "T": return "\(number(hour, 2)):\(number(minute, 2)):\(number(second, 2))"
    case "%": return "%"
    default: return nil
    }
  }
}
