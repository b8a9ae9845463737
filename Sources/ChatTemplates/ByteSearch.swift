/// Finds a byte string in texts in time linear in their length, whatever the strings (Knuth, Morris,
/// Pratt, 1977).
struct ByteSearch {
  private let pattern: [UInt8]
  /// For each prefix of the pattern, the length of the longest shorter prefix that it ends with.
  private let borders: [Int]

  /// - Parameter pattern: At least one byte.
  init(for pattern: [UInt8]) {
    precondition(!pattern.isEmpty, "there is something to look for")
    self.pattern = pattern
    var borders = [Int](repeating: 0, count: pattern.count)
    var length = 0
    for i in pattern.indices.dropFirst() {
      while length > 0, pattern[i] != pattern[length] { length = borders[length - 1] }
      if pattern[i] == pattern[length] { length += 1 }
      borders[i] = length
    }
    self.borders = borders
  }

  /// The first place of the pattern that begins at `start` or after it.
  func first(in text: [UInt8], from start: Int = 0) -> Range<Int>? {
    var matched = 0
    var i = start
    while i < text.count {
      while matched > 0, text[i] != pattern[matched] { matched = borders[matched - 1] }
      if text[i] == pattern[matched] { matched += 1 }
      i += 1
      if matched == pattern.count { return (i - matched)..<i }
    }
    return nil
  }
}
