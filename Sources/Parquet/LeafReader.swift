import Columns

/// The values of a leaf in a row group, taken some rows at a time.
///
/// A row's values may go on in the next page, so pages are joined as far as rows need it.
struct LeafReader {
  /// Values of some rows, as `Page` has them.
  typealias Part = Page

  let leaf: Leaf
  private var pages: PageReader
  private var page: Page
  /// Values of the page taken so far, missing ones included, and without them.
  private var taken = 0
  private var takenPresent = 0
  /// Where rows begin in the page; for a leaf without lists, every value is a row.
  private var rowStarts: [Int] = []
  private var takenRows = 0
  private var isAtEnd = false

  init(_ leaf: Leaf, _ pages: PageReader) {
    self.leaf = leaf
    self.pages = pages
    page = Page(repetitions: nil, definitions: nil, values: .integers([]), count: 0)
  }

  /// Rows that are complete in what has been read.
  private var completeRows: Int {
    if leaf.maximumRepetition == 0 { return page.count - taken }
    return rowStarts.count - takenRows - (isAtEnd || rowStarts.isEmpty ? 0 : 1)
  }

  /// Reads until a row is complete; the number of those that are, zero at the end.
  mutating func fill() throws(ParquetError) -> Int {
    while completeRows <= 0, !isAtEnd {
      guard let next = try pages.next() else {
        isAtEnd = true
        break
      }
      try join(next)
      if leaf.maximumRepetition > 0, rowStarts.first != 0, page.count > 0 {
        throw pages.failure(.firstLevel(Int(page.repetitions?.first ?? 0)))
      }
    }
    return max(0, completeRows)
  }

  /// Keeps what is not taken of the page, and appends `next`.
  private mutating func join(_ next: Page) throws(ParquetError) {
    let rest = part(taken..<page.count, takenPresent..<page.values.count)
    // Copying is charged: a row that goes on through very many pages would be copied as often.
    do throws(ParquetProblem) { try pages.charge(rest.byteCount) } catch {
      throw pages.failure(error)
    }
    page = rest.count == 0 ? next : rest.joined(with: next, leaf)
    (taken, takenPresent, takenRows) = (0, 0, 0)
    guard let levels = page.repetitions else { return }
    rowStarts.removeAll(keepingCapacity: true)
    for (i, level) in levels.enumerated() where level == 0 { rowStarts.append(i) }
  }

  /// The next `rows` rows, which must be complete.
  mutating func take(_ rows: Int) -> Part {
    precondition(rows <= completeRows, "rows that are there")
    var end = taken + rows
    if leaf.maximumRepetition > 0 {
      let next = takenRows + rows
      end = next < rowStarts.count ? rowStarts[next] : page.count
      takenRows = next
    }
    var present = end - taken
    if let levels = page.definitions {
      let maximum = UInt8(leaf.maximumDefinition)
      present = levels[taken..<end].count { $0 == maximum }
    }
    defer {
      taken = end
      takenPresent += present
    }
    return part(taken..<end, takenPresent..<(takenPresent + present))
  }

  private func part(_ range: Range<Int>, _ present: Range<Int>) -> Part {
    if range == 0..<page.count { return page }
    return Part(
      repetitions: page.repetitions.map { Array($0[range]) },
      definitions: page.definitions.map { Array($0[range]) },
      values: page.values.slice(present), count: range.count)
  }
}

extension Page {
  /// Bytes in memory, about.
  fileprivate var byteCount: Int {
    if case .bytes(let strings) = values { return 10 * count + strings.byteCount }
    return 10 * count
  }

  fileprivate func joined(with next: Page, _ leaf: Leaf) -> Page {
    var result = self
    result.count += next.count
    if let levels = repetitions, let more = next.repetitions { result.repetitions = levels + more }
    if definitions != nil || next.definitions != nil {
      let maximum = UInt8(leaf.maximumDefinition)
      result.definitions =
        (definitions ?? [UInt8](repeating: maximum, count: count))
        + (next.definitions ?? [UInt8](repeating: maximum, count: next.count))
    }
    result.values.append(next.values)
    return result
  }
}
