import ByteIO
package import Kernels
import ModelGraph
import Tensors

/// When a token stops going through the core before the most passes are made.
package enum ExitRule: Equatable, Sendable {
  /// The Kullback-Leibler divergence of the prediction from the one a pass earlier is below this.
  case divergence(Double)
  /// The state moved by less than this, relative to its norm.
  case latent(Double)
}

/// Runs a model token by token over a cache of keys and values.
///
/// Every execution of a block has a cache of its own: p + c·r + d of them, the core's by pass. Where
/// the passes share theirs, the last pass's keys and values are what later tokens see.
package final class Decoder {
  private let model: Model
  /// Sequences that are decoded side by side, B.
  package let sequences: Int
  /// The most passes a token makes; 0 for a plain model.
  package let passes: Int
  /// Tokens of each sequence so far.
  package private(set) var length = 0
  /// Passes that the last call made.
  package private(set) var depth = 0
  private let seed: UInt64
  private let sharesCoreCache: Bool
  private let firstVisible: [Int32]?
  private var caches: [CacheEntry] = []
  private var capacity = 0
  /// Position of each row of a step; its memory serves every single token.
  private var positions: [Int32] = []
  private let last: Matrix  // [B, h] last token of each sequence, normalised
  private let logits: Matrix  // [B, V]
  private let earlierLogits: Matrix  // [B, V]
  private let earlierState: Matrix  // [B, h]

  /// - Parameters:
  ///   - sequences: How many are decoded side by side, all of the same length so far.
  ///   - recurrence: Passes through the core; nil takes the model's own number.
  ///   - sharesCoreCache: Keeps only the last pass's keys and values: p + c + d entries a token, and
  ///     another function of the input where there is more than one pass.
  ///   - firstVisible: Index of the first token that counts in each sequence, `[B]`: padding on the
  ///     left.
  ///   - seed: Of the random initial states.
  package init(
    _ model: Model, sequences: Int = 1, recurrence: Int? = nil, sharesCoreCache: Bool = false,
    firstVisible: [Int32]? = nil, seed: UInt64 = 0
  ) throws {
    guard sequences > 0 else { throw TransformerError(.emptySequence) }
    guard firstVisible.map({ $0.count == sequences }) ?? true else {
      throw TransformerError(
        .raggedBatch(count: firstVisible?.count ?? 0, sequences: sequences, length: 1))
    }
    self.model = model
    self.sequences = sequences
    self.sharesCoreCache = sharesCoreCache
    self.firstVisible = firstVisible
    self.seed = seed
    passes = try model.passes(recurrence)
    let sizes = model.network.sizes
    last = try Matrix(rows: sequences, columns: sizes.hidden)
    logits = try Matrix(rows: sequences, columns: sizes.vocabulary)
    earlierLogits = try Matrix(rows: sequences, columns: sizes.vocabulary)
    earlierState = try Matrix(rows: sequences, columns: sizes.hidden)
  }

  private var network: Network { model.network }
  private var compute: Compute { model.compute }

  /// The most tokens of a sequence.
  package var contextLength: Int { network.contextLimit }

  /// Executions of blocks that keep keys and values of a token.
  package var entryCount: Int {
    let core = network.coreBlocks.count * (sharesCoreCache ? min(1, passes) : passes)
    return network.preludeBlocks.count + core + network.codaBlocks.count
  }

  /// Tokens of all sequences that go through the model together, so that a long prompt takes no more
  /// memory than one of this length, beside its cache.
  private static let mostRows = 1024

  /// Appends tokens to every sequence and predicts the next ones.
  ///
  /// - Parameters:
  ///   - tokens: `[B * T]`, sequence by sequence.
  ///   - exit: Lets a single token leave the core early; a longer input makes all passes. Later
  ///     tokens then see the keys and values of the last pass it made.
  /// - Returns: Logits after the last token, `[B, V]`, overwritten by the next call.
  /// - Throws: `TransformerError`, also for logits that are NaN or infinite.
  package func advance(_ tokens: [Int32], exit: ExitRule? = nil) throws -> Matrix {
    let count = try check(tokens)
    try grow(to: length + count)
    let height = max(1, Self.mostRows / sequences)
    if count <= height {
      try step(tokens, exit: sequences == 1 && count == 1 ? exit : nil)
    } else {
      for start in stride(from: 0, to: count, by: height) {
        let range = start..<min(start + height, count)
        try step(
          (0..<sequences).flatMap { b in
            tokens[(b * count + range.lowerBound)..<(b * count + range.upperBound)]
          }, exit: nil)
      }
    }
    guard isFinite(logits) else { throw TransformerError(.nonFiniteLogits(position: length - 1)) }
    return logits
  }

  /// Appends tokens to the only sequence, and scores what follows each of them.
  ///
  /// - Parameters:
  ///   - tokens: Of one sequence.
  ///   - labels: The token that follows each of `tokens`; -100 is not scored.
  /// - Returns: Negative log-likelihood of each label in nats; 0 where there is none.
  package func losses(_ tokens: [Int32], labels: [Int32]) throws -> [Float] {
    precondition(sequences == 1 && labels.count == tokens.count, "a label for each token")
    _ = try check(tokens)
    try checkLabels(labels, network)
    try grow(to: length + tokens.count)
    var losses: [Float] = []
    for start in stride(from: 0, to: tokens.count, by: Self.mostRows) {
      let range = start..<min(start + Self.mostRows, tokens.count)
      let room = try step(Array(tokens[range]), exit: nil)
      network.finalNorm.apply(room.work.normed, room.stream, on: compute)
      losses += try model.labelLosses(of: room.work.normed, labels: Array(labels[range]))
    }
    return losses
  }

  /// Forgets all tokens but the first `count`; what follows then replaces them.
  package func rewind(to count: Int = 0) {
    precondition(count >= 0 && count <= length, "tokens that the cache holds")
    length = count
  }

  /// Tokens of each sequence in `tokens`, which the model must be able to take.
  private func check(_ tokens: [Int32]) throws(TransformerError) -> Int {
    let count = tokens.count / sequences
    guard count > 0 else { throw TransformerError(.emptySequence) }
    guard tokens.count == count * sequences else {
      throw TransformerError(
        .raggedBatch(count: tokens.count, sequences: sequences, length: count))
    }
    guard length + count <= network.contextLimit else {
      throw TransformerError(
        .contextTooLong(length: length + count, limit: network.contextLimit))
    }
    try checkTokens(tokens, network)
    return count
  }

  /// Runs tokens that fit into one room; the prediction after the last then stands in `logits`.
  @discardableResult
  private func step(_ tokens: [Int32], exit: ExitRule?) throws -> Room {
    let count = tokens.count / sequences
    let first =
      count == 1 ? firstVisible : firstVisible?.flatMap { repeatElement($0, count: count) }
    let visibility = Visibility(
      sequences: sequences, queries: count, past: length, keyRows: capacity, first: first)
    let room = try model.room(visibility.rows)
    setPositions(count)
    let context = BlockContext(
      network: network, tables: try model.rotation(length + count), positions: positions,
      visibility: visibility, compute: compute)
    network.embed(room.stream, tokens, on: compute)
    run(context, network.preludeBlocks, room, caches: 0)
    if let recurrence = network.recurrence {
      try runCore(context, recurrence, room, exit: exit)
      if exit == nil { predict(context, room) }
    } else {
      predict(context, room)
    }
    length += count
    return room
  }

  private func setPositions(_ count: Int) {
    if positions.count != sequences * count {
      positions = [Int32](repeating: 0, count: sequences * count)
    }
    for row in positions.indices { positions[row] = Int32(length + row % count) }
  }

  /// All passes, or those until `exit` says so; then the prediction stands in `logits`.
  private func runCore(
    _ context: BlockContext, _ recurrence: Network.Recurrence, _ room: Room, exit: ExitRule?
  ) throws {
    try context.start(recurrence, room, .seeded(seed), bypassesAdapter: false)
    depth = 0
    while depth < passes {
      try Interruption.check()
      if exit != nil { copy(earlierState, room.state, on: compute) }
      context.inject(recurrence, room, isFirst: depth == 0, bypassesAdapter: false)
      run(context, recurrence.core, room, caches: coreCache(depth))
      context.finishPass(recurrence, room)
      depth += 1
      guard let exit else { continue }
      // Only a divergence needs the prediction of every pass.
      if case .latent(let limit) = exit {
        let isDone = depth == passes || relativeChange(room.state, from: earlierState) < limit
        if !isDone { continue }
        predict(context, room)
        break
      }
      predict(context, room)
      if case .divergence(let limit) = exit, depth > 1,
        divergenceOfSoftmax(logits, from: earlierLogits) < limit
      {
        break
      }
      copy(earlierLogits, logits, on: compute)
    }
    keepLastPass()
  }

  /// Runs the coda and the head over the stream, which holds the state.
  private func predict(_ context: BlockContext, _ room: Room) {
    if let recurrence = network.recurrence {
      copy(room.stream, room.state, on: compute)
      if recurrence.normsLatent {
        network.finalNorm.apply(room.stream, room.stream, on: compute)
      }
    }
    run(context, network.codaBlocks, room, caches: coreCache(passes))
    let count = room.rows / sequences
    for b in 0..<sequences {
      let row = (b + 1) * count - 1
      copy(last.rows(b..<(b + 1)), room.stream.rows(row..<(row + 1)), on: compute)
    }
    network.finalNorm.apply(last, last, on: compute)
    network.predict(logits, last, on: compute)
  }

  private func run(_ context: BlockContext, _ blocks: Range<Int>, _ room: Room, caches: Int) {
    for (i, block) in blocks.enumerated() {
      context.forward(
        network.blocks[block], room.stream, room.stream, keeping: room.kept, room.work,
        cache: self.caches[caches + i])
    }
  }

  /// Index of the first cache of pass `pass`; of the coda's when all passes are made.
  private func coreCache(_ pass: Int) -> Int {
    let first = network.preludeBlocks.count
    let core = network.coreBlocks.count
    if sharesCoreCache { return pass == passes ? first + min(1, passes) * core : first }
    return first + pass * core
  }

  /// Gives the passes that an early exit left out the keys and values of the last one made.
  private func keepLastPass() {
    if sharesCoreCache || depth == passes { return }
    for pass in depth..<passes {
      for i in 0..<network.coreBlocks.count {
        let (from, to) = (caches[coreCache(depth - 1) + i], caches[coreCache(pass) + i])
        let row = length..<(length + 1)
        copy(to.keys.rows(row), from.keys.rows(row), on: compute)
        copy(to.values.rows(row), from.values.rows(row), on: compute)
      }
    }
  }

  /// Tokens that follow a prompt without a new cache: room that is not used takes no memory.
  private static let slack = 256

  /// Makes room for `count` tokens a sequence, doubling.
  private func grow(to count: Int) throws {
    if count <= capacity { return }
    let newCapacity = min(network.contextLimit, max(count + Self.slack, 2 * capacity))
    let width = network.sizes.keyValueWidth
    func grown(_ old: Matrix?) throws -> Matrix {
      let new = try Matrix(rows: sequences * newCapacity, columns: width)
      guard let old else { return new }
      for b in 0..<sequences {
        copy(
          new.rows(b * newCapacity..<b * newCapacity + length),
          old.rows(b * capacity..<b * capacity + length), on: compute)
      }
      return new
    }
    for i in 0..<entryCount {
      let old = i < caches.count ? caches[i] : nil
      let entry = CacheEntry(keys: try grown(old?.keys), values: try grown(old?.values))
      if old == nil { caches.append(entry) } else { caches[i] = entry }
    }
    capacity = newCapacity
  }
}
