import ByteIO
package import Kernels
import ModelGraph
import Tensors

/// How tokens are drafted for the same model to check: with few passes through the core.
package struct DraftRule: Equatable, Sendable {
  /// Fewer than the decoder's.
  package var passes: Int
  /// Most guesses at a time.
  package var count: Int

  /// A token and the guesses after it run together, each as it would alone.
  package static let mostGuesses = independentRows - 1

  package init(passes: Int, count: Int) {
    precondition(passes > 0 && (1...Self.mostGuesses).contains(count), "guesses that fit")
    self.passes = passes
    self.count = count
  }

  /// - Parameters:
  ///   - passes: The decoder's; 0 for a plain model.
  ///   - kept: Passes whose keys and values are kept.
  func check(passes: Int, kept: Int) throws(TransformerError) {
    // Rows that run together do not see the last pass of each other, as tokens one by one do.
    precondition(kept == passes, "a cache for each pass")
    if passes == 0 { throw TransformerError(.notRecurrent) }
    if self.passes >= passes { throw TransformerError(.draftTooDeep(self.passes, of: passes)) }
  }
}

extension Decoder {
  /// Where guesses wait for the rest of their passes.
  struct DraftRoom {
    let state: Matrix  // [guesses + 1, h] after the passes of a guess
    let injected: Matrix  // [guesses + 1, h]

    init(_ sizes: ModelSizes, rows: Int) throws(MemoryError) {
      state = try Matrix(rows: rows, columns: sizes.hidden)
      injected = try Matrix(rows: rows, columns: sizes.hidden)
    }
  }

  /// Appends a token to a sequence, and guesses after it that few passes make; then makes the other
  /// passes for all of them at once, and predicts what follows each.
  ///
  /// The passes of a guess are the first of all passes, over the same keys and values, so they are not
  /// made again. Its keys and values in the coda are replaced. A prediction is the same bits as if the
  /// tokens had been appended one by one, since rows attend and multiply each by itself. `rewind`
  /// forgets guesses that were wrong.
  ///
  /// - Parameters:
  ///   - count: Most guesses; no more are made than the rule says, and than fit the context.
  ///   - guess: Chooses a token from logits `[1, V]`; nil ends the guessing.
  /// - Returns: The guesses, and logits after the token and after each of them, `[1 + guesses, V]`,
  ///   overwritten by the next call.
  /// - Throws: `TransformerError`, also for logits after the token that are NaN or infinite. Guesses
  ///   from one with such logits on are dropped.
  package func advance(
    _ token: Int32, of sequence: Int = 0, drafting count: Int, guess: (Matrix) -> Int32?
  ) throws -> (guesses: [Int32], logits: Matrix) {
    guard let draft, let recurrence = network.recurrence else {
      preconditionFailure("a decoder that drafts")
    }
    let own = try draftRoom ?? DraftRoom(network.sizes, rows: draft.count + 1)
    draftRoom = own
    let first = caches[sequence].length
    let most = max(0, min(count, draft.count, contextLength - first - 1))
    try check([token], sequence, ahead: most)
    let alike = (1...most + 1).prefix { variant(length: first + $0) == variant(length: first + 1) }
    let rows = alike.map { Row(sequence: sequence, position: first + $0 - 1) }
    let tokens = try self.draft(token, rows, draft, recurrence, own, guess)
    let predicted = try finish(Array(rows.prefix(tokens.count)), draft, recurrence, own)
    return (Array(tokens[1..<predicted.rows]), predicted)
  }

  /// The token and the guesses after it, at most one for each row; their states and what is injected
  /// into them wait in `own`.
  private func draft(
    _ token: Int32, _ rows: [Row], _ draft: DraftRule, _ recurrence: Network.Recurrence,
    _ own: DraftRoom, _ guess: (Matrix) -> Int32?
  ) throws -> [Int32] {
    var tokens = [token]
    let room = try model.room(1)
    for (i, row) in rows.enumerated() {
      let context = try context([row])
      enter([tokens[i]], context, room, [row])
      for pass in 0..<draft.passes {
        try Interruption.check()
        makePass(pass, context, recurrence, room, [row])
      }
      copyRow(own.state, i, room.state, 0)
      copyRow(own.injected, i, room.injected, 0)
      if i + 1 == rows.count { break }
      let target = logits.rows(0..<1)
      predict(target, context, room, [row])
      guard isFinite(target), let next = guess(target) else { break }
      tokens.append(next)
    }
    return tokens
  }

  /// Makes the passes that a guess left out, and predicts.
  ///
  /// - Returns: Logits of the rows before the first that are not finite.
  private func finish(
    _ rows: [Row], _ draft: DraftRule, _ recurrence: Network.Recurrence, _ own: DraftRoom
  ) throws -> Matrix {
    let room = try model.room(rows.count)
    let context = try context(rows)
    copy(room.state, own.state.rows(0..<rows.count), on: compute)
    copy(room.injected, own.injected.rows(0..<rows.count), on: compute)
    for pass in draft.passes..<passes {
      try Interruption.check()
      makePass(pass, context, recurrence, room, rows)
    }
    predict(logits.rows(0..<rows.count), context, room, rows)
    let count = rows.indices.first { !isFinite(logits.rows($0..<$0 + 1)) } ?? rows.count
    depths = [Int](repeating: passes, count: max(1, count))
    keep(Array(rows.prefix(max(1, count))))
    return try finite(max(1, count))
  }
}
