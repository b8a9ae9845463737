import ByteIO

/// A grid of braille characters, 2 × 4 dots each; a cell remembers who last drew in it.
struct BrailleCanvas {
  private let columns: Int
  private let rows: Int
  private var dots: [UInt8]
  private var owners: [Int]
  /// Characters instead of dots, by cell.
  private var letters: [Int: Character] = [:]

  init(columns: Int, rows: Int) {
    self.columns = columns
    self.rows = rows
    dots = [UInt8](repeating: 0, count: columns * rows)
    owners = [Int](repeating: 0, count: columns * rows)
  }

  /// Draws a straight line between two places, in dots from the upper left corner.
  mutating func draw(_ from: (x: Double, y: Double), _ to: (x: Double, y: Double), owner: Int) {
    let steps = max(1, Int(max(abs(to.x - from.x), abs(to.y - from.y)).rounded(.up)))
    for step in 0...steps {
      let share = Double(step) / Double(steps)
      set(
        Int((from.x + share * (to.x - from.x)).rounded()),
        Int((from.y + share * (to.y - from.y)).rounded()), owner)
    }
  }

  /// Puts a character over the dots; beside one that is there already.
  mutating func write(_ letter: Character, at place: (x: Double, y: Double), owner: Int) {
    let row = min(max(Int(place.y) / 4, 0), rows - 1)
    let column = min(max(Int(place.x) / 2, 0), columns - 1)
    let free = [0, 1, -1, 2, -2].map { column + $0 }.first {
      (0..<columns).contains($0) && letters[row * columns + $0] == nil
    }
    guard let free else { return }
    letters[row * columns + free] = letter
    owners[row * columns + free] = owner
  }

  private mutating func set(_ x: Int, _ y: Int, _ owner: Int) {
    guard x >= 0, y >= 0, x < columns * 2, y < rows * 4 else { return }
    // Bits of a braille cell: dots 1-3 and 7 in the left column, 4-6 and 8 in the right one.
    let bits: [[UInt8]] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]]
    let cell = y / 4 * columns + x / 2
    dots[cell] |= bits[x % 2][y % 4]
    owners[cell] = owner
  }

  /// Row `row` as text.
  ///
  /// - Parameter colors: Escape codes by owner; none leaves colours out.
  func line(_ row: Int, colors: [Int]) -> String {
    (0..<columns).map { column in
      let cell = row * columns + column
      guard let character = character(cell) else { return " " }
      if colors.isEmpty { return String(character) }
      return PrintedText.color(colors[owners[cell] % colors.count]) + "\(character)"
        + PrintedText.plain
    }.joined()
  }

  private func character(_ cell: Int) -> Character? {
    if let letter = letters[cell] { return letter }
    guard dots[cell] != 0 else { return nil }
    return UnicodeScalar(0x2800 + UInt32(dots[cell])).map(Character.init)
  }
}
