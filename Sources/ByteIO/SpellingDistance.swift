/// Levenshtein's distance of the first 64 characters: how far a word is from one that may be meant.
package func spellingDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a.prefix(64)), Array(b.prefix(64)))
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var corner = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let replaced = corner + (x == y ? 0 : 1)
      corner = row[j + 1]
      row[j + 1] = min(replaced, corner + 1, row[j] + 1)
    }
  }
  return row[b.count]
}
