/// Byte-pair encoding: a word becomes characters, then neighbours merge, best rank first.
struct BytePairModel: Sendable {
  var vocabulary: Vocabulary
  var merges: MergeTable
  /// Token for characters outside the vocabulary; without one they vanish.
  var unknown: Int32?
  /// Neighbouring unknown characters share one token.
  var fusesUnknown: Bool
  /// Tokens `<0x00>` to `<0xFF>`, -1 where absent; empty without byte fallback.
  var byteFallback: [Int32]
  /// A word that is a token is taken as such, whatever the merges say.
  var ignoresMerges: Bool
  /// Token of each byte's stand-in (-1: none) when words come as raw bytes; else empty.
  var byteSymbols: [Int32]
  /// No merge joins a character to a `▁` after it, so that words can be merged one by one.
  var keepsMarksInFront = false

  /// Appends the tokens of `word`, valid UTF-8 or (byte-level) any bytes, to `output`.
  func encode(_ word: Span<UInt8>, into output: inout [Int32], workspace: inout EncodingScratch) {
    guard word.count > 0 else { return }
    if ignoresMerges, let id = wholeToken(word) {
      output.append(id)
      return
    }
    workspace.symbols.removeAll(keepingCapacity: true)
    if byteSymbols.isEmpty {
      splitCharacters(word, into: &workspace.symbols)
    } else {
      splitBytes(word, into: &workspace.symbols)
    }
    merge(&workspace)
    for symbol in workspace.symbols where symbol >= 0 { output.append(symbol) }
  }

  private func wholeToken(_ word: Span<UInt8>) -> Int32? {
    if byteSymbols.isEmpty { return vocabulary.find(word) }
    let spelling = ByteAlphabet.spelling(of: word)
    return vocabulary.find(spelling)
  }

  // MARK: Symbols

  private func splitCharacters(_ word: Span<UInt8>, into symbols: inout [Int32]) {
    var pending: Int32?
    var i = 0
    while i < word.count {
      let end = i + DecodedScalar(in: word, at: i).width
      add(word.extracting(i..<end), to: &symbols, pending: &pending)
      i = end
    }
    if let pending { symbols.append(pending) }
  }

  private func splitBytes(_ word: Span<UInt8>, into symbols: inout [Int32]) {
    var pending: Int32?
    for i in word.indices {
      let id = byteSymbols[Int(word[i])]
      if id >= 0 {
        if let unknown = pending.take() { symbols.append(unknown) }
        symbols.append(id)
      } else {
        let spelling = ByteAlphabet.spelling(of: word[i])
        add(spelling.span, to: &symbols, pending: &pending)
      }
    }
    if let pending { symbols.append(pending) }
  }

  /// Appends one character's symbols.
  ///
  /// An unknown token is held back in `pending`, so that following unknown characters can join it;
  /// byte tokens overtake it, as in the reference implementation.
  private func add(
    _ character: Span<UInt8>, to symbols: inout [Int32], pending: inout Int32?
  ) {
    if let id = vocabulary.find(character) {
      if let unknown = pending.take() { symbols.append(unknown) }
      symbols.append(id)
      return
    }
    if !byteFallback.isEmpty {
      let start = symbols.count
      for i in character.indices { symbols.append(byteFallback[Int(character[i])]) }
      if !symbols[start...].contains(-1) { return }
      symbols.removeSubrange(start...)
    }
    guard let unknown else { return }
    if !fusesUnknown, let earlier = pending { symbols.append(earlier) }
    pending = unknown
  }

  // MARK: Merging

  private func merge(_ workspace: inout EncodingScratch) {
    let count = workspace.symbols.count
    guard count > 1 else { return }
    workspace.next.removeAll(keepingCapacity: true)
    workspace.previous.removeAll(keepingCapacity: true)
    for i in 0..<Int32(count) {
      workspace.previous.append(i - 1)
      workspace.next.append(i + 1)
    }
    workspace.queue.removeAll()
    for i in 0..<(count - 1) {
      if let merge = merges.find(workspace.symbols[i], workspace.symbols[i + 1]) {
        workspace.queue.push(rank: merge.rank, position: i)
      }
    }
    while let (rank, left) = workspace.queue.pop() {
      let right = Int(workspace.next[left])
      // An entry is stale when either side has merged otherwise since.
      guard workspace.symbols[left] >= 0, right < count,
        let merge = merges.find(workspace.symbols[left], workspace.symbols[right]),
        merge.rank == rank
      else { continue }
      workspace.symbols[left] = merge.id
      workspace.symbols[right] = -1
      let next = Int(workspace.next[right])
      workspace.next[left] = Int32(next)
      if next < count {
        workspace.previous[next] = Int32(left)
        if let merge = merges.find(merge.id, workspace.symbols[next]) {
          workspace.queue.push(rank: merge.rank, position: left)
        }
      }
      let previous = Int(workspace.previous[left])
      if previous >= 0, let merge = merges.find(workspace.symbols[previous], merge.id) {
        workspace.queue.push(rank: merge.rank, position: previous)
      }
    }
  }
}
