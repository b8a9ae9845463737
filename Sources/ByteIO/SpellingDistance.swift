/// How far a word is from one that may be meant: letters that are replaced, put in or left out, and
/// neighbours that have changed places (optimal string alignment), in the first 64 characters.
package func spellingDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a.prefix(64)), Array(b.prefix(64)))
  var rows = [Array(0...b.count)]
  for (i, x) in a.enumerated() {
    var row = [i + 1]
    for (j, y) in b.enumerated() {
      var best = min(rows[i][j] + (x == y ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, x == b[j - 1], a[i - 1] == y { best = min(best, rows[i - 1][j - 1] + 1) }
      row.append(best)
    }
    rows.append(row)
  }
  return rows[a.count][b.count]
}

/// The word most like `word`; nil when none is like it.
package func nearestSpelling(to word: String, among words: [String]) -> String? {
  let measured = words.map { (word: $0, distance: spellingDistance($0, word)) }
  guard let best = measured.min(by: { $0.distance < $1.distance }),
    best.distance <= max(1, word.drop { $0 == "-" }.count / 3)
  else { return nil }
  return best.word
}
