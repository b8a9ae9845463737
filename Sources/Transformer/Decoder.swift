import ByteIO
package import Kernels
import ModelGraph
import Tensors

/// Runs a model over caches of keys and values: one sequence by any number of tokens, or several by a
/// token each.
///
/// Every execution of a block has a cache of its own: p + c·r + d of them, the core's by pass. With a
/// window of W passes, pass i (from 0) writes and reads the slot i mod W instead: p + c·W + d. Of an
/// earlier token it then sees the last pass j with j ≡ i mod W; of tokens of the same call, which run
/// side by side, pass i. Sequences know nothing of each other: a token's prediction is the same bits in a
/// batch as alone.
package final class Decoder {
  let model: Model
  /// The most passes a token makes; 0 for a plain model.
  package let passes: Int
  /// Passes that each row of the last call made: one row for each sequence.
  package internal(set) var depths: [Int] = []
  /// Passes whose keys and values are kept.
  let slots: Int
  /// Makes guesses possible.
  package let draft: DraftRule?
  private(set) var caches: [SequenceCache]
  private let last: Matrix  // [B, h], or a row a guess more; what the predictions are made of
  let logits: Matrix  // [B, V], or as many rows
  /// Made with the first exit.
  var exitRoom: ExitRoom?
  /// Made with the first guess.
  var draftRoom: DraftRoom?

  /// The next token of a sequence.
  package struct Next {
    package var sequence: Int
    package var token: Int32

    package init(sequence: Int, token: Int32) {
      self.sequence = sequence
      self.token = token
    }
  }

  /// Where a row stands.
  struct Row {
    let sequence: Int
    let position: Int
  }

  /// - Parameters:
  ///   - sequences: How many there is room for, B.
  ///   - recurrence: Passes through the core; nil takes the model's own number.
  ///   - cacheWindow: Passes whose keys and values are kept, at least 1; nil keeps all. Fewer than there
  ///     are make another function of the input.
  ///   - draft: How guesses are made; all passes are kept then.
  ///   - seed: Of the random initial states.
  package init(
    _ model: Model, sequences: Int = 1, recurrence: Int? = nil, cacheWindow: Int? = nil,
    draft: DraftRule? = nil, seed: UInt64 = 0
  ) throws {
    guard sequences > 0 else { throw TransformerError(.emptySequence) }
    precondition(cacheWindow ?? 1 > 0, "a pass is kept")
    self.model = model
    self.draft = draft
    caches = [SequenceCache](repeating: SequenceCache(seed: seed), count: sequences)
    passes = try model.passes(recurrence)
    slots = min(cacheWindow ?? passes, passes)
    try draft?.check(passes: passes, kept: slots)
    let sizes = model.network.sizes
    let rows = max(sequences, 1 + (draft?.count ?? 0))
    last = try Matrix(rows: rows, columns: sizes.hidden)
    logits = try Matrix(rows: rows, columns: sizes.vocabulary)
  }

  var network: Network { model.network }
  var compute: Compute { model.compute }

  /// Sequences that there is room for, B.
  package var sequences: Int { caches.count }

  /// Tokens of a sequence so far.
  package func length(of sequence: Int = 0) -> Int { caches[sequence].length }

  /// The most tokens of a sequence.
  package var contextLength: Int { network.contextLimit }

  /// Executions of blocks that keep keys and values of a token.
  package var entryCount: Int {
    network.preludeBlocks.count + network.coreBlocks.count * slots + network.codaBlocks.count
  }

  /// Bytes of a token's keys and values.
  package var bytesPerToken: Int {
    2 * entryCount * network.sizes.keyValueWidth * MemoryLayout<Float>.size
  }

  /// Tokens that go through the model together, so that a long prompt takes no more memory than one
  /// of this length, beside its cache.
  private static let mostRows = 1024

  // MARK: Tokens in, predictions out

  /// Appends tokens to one sequence and predicts the next one.
  ///
  /// - Parameter exit: Lets a single token leave the core early; a longer input makes all passes.
  ///   Later tokens then see the keys and values of the last pass it made.
  /// - Returns: Logits after the last token, `[1, V]`, overwritten by the next call.
  /// - Throws: `TransformerError`, also for logits that are NaN or infinite.
  package func advance(
    _ tokens: [Int32], of sequence: Int = 0, exit: ExitRule? = nil
  ) throws -> Matrix {
    try check(tokens, sequence)
    depths = [passes]
    for start in stride(from: 0, to: tokens.count, by: Self.mostRows) {
      let part = tokens[start..<min(start + Self.mostRows, tokens.count)]
      try step(Array(part), rows(sequence, part.count), exit: tokens.count == 1 ? exit : nil, at: 0)
    }
    return try finite(1)
  }

  /// Appends a token to each of some sequences and predicts the next ones.
  ///
  /// - Parameters:
  ///   - next: Of sequences that differ.
  ///   - exit: Lets each token leave the core early.
  /// - Returns: Logits after each token, `[next.count, V]`, overwritten by the next call.
  /// - Throws: As above.
  package func advance(_ next: [Next], exit: ExitRule? = nil) throws -> Matrix {
    precondition(Set(next.map(\.sequence)).count == next.count, "each sequence once")
    for next in next { try check([next.token], next.sequence) }
    depths = [Int](repeating: passes, count: next.count)
    var start = 0
    while start < next.count {
      // Sequences whose frequencies differ by their length do not run together.
      let variants = next.map { variant(length: caches[$0.sequence].length + 1) }
      let end = (start..<min(start + independentRows, next.count)).first {
        variants[$0] != variants[start]
      }
      let part = next[start..<(end ?? min(start + independentRows, next.count))]
      let rows = part.map { Row(sequence: $0.sequence, position: caches[$0.sequence].length) }
      try step(part.map(\.token), rows, exit: exit, at: start)
      start = part.endIndex
    }
    return try finite(next.count)
  }

  /// Appends tokens to one sequence, and scores what follows each of them.
  ///
  /// - Parameter labels: The token that follows each of `tokens`; -100 is not scored.
  /// - Returns: Negative log-likelihood of each label in nats; 0 where there is none.
  package func losses(
    _ tokens: [Int32], labels: [Int32], of sequence: Int = 0
  ) throws -> [Float] {
    precondition(labels.count == tokens.count, "a label for each token")
    try check(tokens, sequence)
    try checkLabels(labels, network)
    depths = [passes]
    var losses: [Float] = []
    for start in stride(from: 0, to: tokens.count, by: Self.mostRows) {
      let range = start..<min(start + Self.mostRows, tokens.count)
      let room = try step(Array(tokens[range]), rows(sequence, range.count), exit: nil, at: 0)
      network.finalNorm.apply(room.work.normed, room.stream, on: compute)
      losses += try model.labelLosses(of: room.work.normed, labels: Array(labels[range]))
    }
    return losses
  }

  /// Appends a token to each of some sequences, and scores what follows.
  ///
  /// - Parameters:
  ///   - next: Of sequences that differ.
  ///   - labels: The token that follows each; -100 is not scored.
  ///   - exit: Lets each token leave the core early.
  /// - Returns: A score for each label; nil where there is none.
  package func scores(
    _ next: [Next], labels: [Int32], exit: ExitRule? = nil
  ) throws -> [LabelScore?] {
    precondition(labels.count == next.count, "a label for each token")
    try checkLabels(labels, network)
    let scores = try network.scores(
      ofLogits: advance(next, exit: exit), labels: labels, on: compute)
    guard scores.allSatisfy({ $0?.nats.isFinite ?? true }) else {
      throw TransformerError(.nonFiniteLoss)
    }
    return scores
  }

  /// Forgets all tokens of a sequence but the first `count`; what follows then replaces them.
  package func rewind(to count: Int = 0, of sequence: Int = 0) {
    precondition(count >= 0 && count <= caches[sequence].length, "tokens that the cache holds")
    caches[sequence].length = count
  }

  /// Begins a sequence anew, in the room of the one before.
  ///
  /// - Parameter seed: Of its random initial states.
  package func restart(_ sequence: Int, seed: UInt64) {
    rewind(of: sequence)
    caches[sequence].seed = seed
  }

  /// Makes room for tokens of a sequence, which the model must be able to take.
  ///
  /// - Parameter ahead: Tokens that may come after them in the same step.
  func check(_ tokens: [Int32], _ sequence: Int, ahead: Int = 0) throws {
    guard !tokens.isEmpty else { throw TransformerError(.emptySequence) }
    let length = caches[sequence].length + tokens.count + ahead
    guard length <= network.contextLimit else {
      throw TransformerError(.contextTooLong(length: length, limit: network.contextLimit))
    }
    try checkTokens(tokens, network)
    try caches[sequence].grow(
      to: length, limit: network.contextLimit, entryCount: entryCount,
      width: network.sizes.keyValueWidth, on: compute)
  }

  /// The first predictions, if they are numbers.
  func finite(_ count: Int) throws(TransformerError) -> Matrix {
    let logits = logits.rows(0..<count)
    guard isFinite(logits) else {
      throw TransformerError(.nonFiniteLogits(position: (caches.map(\.length).max() ?? 1) - 1))
    }
    return logits
  }

  /// The next `count` rows of a sequence.
  private func rows(_ sequence: Int, _ count: Int) -> [Row] {
    (0..<count).map { Row(sequence: sequence, position: caches[sequence].length + $0) }
  }

  /// Lengths for which this is equal have the same frequencies.
  func variant(length: Int) -> [Int] { network.rotaries.map { $0.variant(length: length) } }

  // MARK: One step

  /// Runs rows that fit into one room; the predictions then stand in `logits` from row `first` on: of
  /// the last row where all are of one sequence, else of each.
  @discardableResult
  private func step(
    _ tokens: [Int32], _ rows: [Row], exit: ExitRule?, at first: Int
  ) throws -> Room {
    let room = try model.room(rows.count)
    let isRun = rows.count > 1 && rows[0].sequence == rows[1].sequence
    let context = try context(rows, isRun: isRun)
    let target = logits.rows(first..<first + (isRun ? 1 : rows.count))
    enter(tokens, context, room, rows)
    if let recurrence = network.recurrence {
      if let exit {
        let made = try leaveCore(recurrence, room, rows, exit, target)
        depths.replaceSubrange(first..<first + rows.count, with: made)
      } else {
        for pass in 0..<passes {
          try Interruption.check()
          makePass(pass, context, recurrence, room, rows)
        }
        predict(target, context, room, rows)
      }
    } else {
      predict(target, context, room, rows)
    }
    keep(rows)
    return room
  }

  /// Counts the rows to their sequences.
  func keep(_ rows: [Row]) {
    for row in rows { caches[row.sequence].length = row.position + 1 }
  }

  /// - Parameter isRun: Whether the rows follow one another in one sequence and attend together, which
  ///   is faster for many; else each attends by itself, as it would alone.
  func context(_ rows: [Row], isRun: Bool = false) throws -> BlockContext {
    let visibility =
      isRun
      ? Visibility(
        sequences: 1, queries: rows.count, past: rows[0].position,
        keyRows: caches[rows[0].sequence].capacity)
      : Visibility(sequences: rows.count, queries: 1)
    return BlockContext(
      network: network, tables: try model.rotation((rows.map(\.position).max() ?? 0) + 1),
      positions: rows.map { Int32($0.position) }, visibility: visibility, compute: compute)
  }

  /// The rows' caches of one execution of a block.
  private func cache(_ execution: Int, _ rows: [Row], _ context: BlockContext) -> StepCache {
    context.visibility.queries > 1
      ? .run(caches[rows[0].sequence].entries[execution])
      : .each(rows.map { caches[$0.sequence].entries[execution] })
  }

  private func run(
    _ context: BlockContext, _ blocks: Range<Int>, _ room: Room, _ rows: [Row], caches first: Int
  ) {
    for (i, block) in blocks.enumerated() {
      context.forward(
        network.blocks[block], room.stream, room.stream, keeping: room.kept, room.work,
        cache: cache(first + i, rows, context))
    }
  }

  /// Runs the prelude over the tokens, takes its output as such, and sets each row's first state.
  func enter(_ tokens: [Int32], _ context: BlockContext, _ room: Room, _ rows: [Row]) {
    network.embed(room.stream, tokens, on: compute)
    run(context, network.preludeBlocks, room, rows, caches: 0)
    guard let recurrence = network.recurrence else { return }
    copy(room.embedded, room.stream, on: compute)
    recurrence.injector.prepare(room.injected, room.embedded, on: compute)
    InitialState.fill(
      room.state, embedded: room.embedded, recurrence.start, on: compute
    ) { row in
      // Every sequence is the first of its seed, so that it starts as it would alone.
      (RandomStream(seed: self.caches[rows[row].sequence].seed, stream: 0), rows[row].position)
    }
  }

  func makePass(
    _ pass: Int, _ context: BlockContext, _ recurrence: Network.Recurrence, _ room: Room,
    _ rows: [Row]
  ) {
    context.inject(recurrence, room, isFirst: pass == 0, bypassesAdapter: false)
    run(context, recurrence.core, room, rows, caches: coreCache(pass))
    context.finishPass(recurrence, room, bypassesGate: false)
  }

  /// Runs the coda and the head over the state, or the head over a plain model's stream.
  ///
  /// - Parameter target: `[1, V]` where all rows are of one sequence, else `[rows, V]`.
  func predict(_ target: Matrix, _ context: BlockContext, _ room: Room, _ rows: [Row]) {
    if let recurrence = network.recurrence {
      copy(room.stream, room.state, on: compute)
      if recurrence.normsLatent {
        network.finalNorm.apply(room.stream, room.stream, on: compute)
      }
    }
    run(context, network.codaBlocks, room, rows, caches: coreCache(passes))
    let last = last.rows(0..<target.rows)
    copy(last, room.stream.rows(rows.count - target.rows..<rows.count), on: compute)
    network.finalNorm.apply(last, last, on: compute)
    network.predict(target, last, on: compute)
  }

  /// Index of the first cache of pass `pass`; of the coda's when all passes are made.
  func coreCache(_ pass: Int) -> Int {
    let first = network.preludeBlocks.count
    let core = network.coreBlocks.count
    return first + (pass == passes ? slots : pass % slots) * core
  }
}
