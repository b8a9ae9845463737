import ByteIO
package import Kernels
import ModelGraph
package import Tensors

/// What to run and what to keep of it.
package struct ForwardOptions: Equatable, Sendable {
  package enum Logits: Equatable, Sendable {
    case all
    /// Of each sequence's last token.
    case last
    case none
  }

  /// Passes through the core; nil takes the model's own number.
  package var recurrence: Int?
  package var state: InitialState
  /// Feeds the prelude's output to the core as it is.
  package var bypassesAdapter: Bool
  /// Blocks of a plain model to run, in order; nil runs all.
  package var blocks: [Int]?
  package var logits: Logits
  package var keepsHidden: Bool
  /// Whether the last hidden state is taken after the final norm.
  package var normsLastHidden: Bool

  package init(
    recurrence: Int? = nil, state: InitialState = .seeded(0), bypassesAdapter: Bool = false,
    blocks: [Int]? = nil, logits: Logits = .all, keepsHidden: Bool = false,
    normsLastHidden: Bool = true
  ) {
    self.recurrence = recurrence
    self.state = state
    self.bypassesAdapter = bypassesAdapter
    self.blocks = blocks
    self.logits = logits
    self.keepsHidden = keepsHidden
    self.normsLastHidden = normsLastHidden
  }
}

/// What a pass gives; T is all tokens of the batch.
package struct ForwardResult: Sendable {
  /// `[T, V]`, or `[B, V]` for the last tokens; nil when not wanted.
  package var logits: Matrix?
  /// `[(L + 1) * T, h]`: the embedding's output, then each executed layer's, the last after the
  /// final norm unless the options leave it as it is; nil when not wanted.
  package var hidden: Matrix?
  /// `[T, h]`, the state that enters the coda; nil for a plain model.
  package var latent: Matrix?
  /// `[T, h]`, after the final norm: what the head reads. Overwritten by the model's next pass.
  package var normed: Matrix
}

extension Model {
  /// Runs a batch through the model.
  ///
  /// - Parameter afterPass: Gets the state `[T, h]` after each pass through the core; the next pass
  ///   overwrites it.
  package func forward(
    _ batch: Batch, _ options: ForwardOptions = ForwardOptions(),
    afterPass: (_ state: Matrix) throws -> Void = { _ in try Interruption.check() }
  ) throws -> ForwardResult {
    try batch.check(network)
    let passes = try passes(options.recurrence)
    let blocks = options.blocks ?? Array(network.preludeBlocks)
    let visibility = Visibility(
      sequences: batch.sequences, queries: batch.length, first: batch.firstVisible)
    let room = try room(visibility.rows)
    let context = try context(visibility)
    let executed = blocks.count + passes * network.coreBlocks.count + network.codaBlocks.count
    var trace = try options.keepsHidden ? Trace(room, layers: executed) : nil
    network.embed(room.stream, batch.tokens, on: compute)
    trace?.append(room.stream, on: compute)
    context.run(blocks, room, trace: &trace)
    var latent: Matrix?
    if let recurrence = network.recurrence {
      try context.start(
        recurrence, room, options.state, firstSequence: batch.firstSequence,
        bypassesAdapter: options.bypassesAdapter)
      for pass in 0..<passes {
        context.inject(
          recurrence, room, isFirst: pass == 0, bypassesAdapter: options.bypassesAdapter)
        context.run(Array(recurrence.core), room, trace: &trace)
        context.finishPass(recurrence, room, bypassesGate: options.bypassesAdapter)
        try afterPass(room.state)
      }
      if recurrence.normsLatent {
        network.finalNorm.apply(room.stream, room.stream, on: compute)
      }
      latent = try copied(room.stream)
      context.run(Array(network.codaBlocks), room, trace: &trace)
    }
    network.finalNorm.apply(room.work.normed, room.stream, on: compute)
    if options.normsLastHidden { trace?.replaceLast(room.work.normed, on: compute) }
    return ForwardResult(
      logits: try logits(options.logits, room.work.normed, batch), hidden: trace?.hidden,
      latent: latent, normed: room.work.normed)
  }

  /// Most passes through the core that are run: more is a slip or an attack, and takes hours.
  package static let mostRecurrences = 10_000

  /// The number of passes through the core; 0 for a plain model.
  func passes(_ wanted: Int?) throws(TransformerError) -> Int {
    guard let recurrence = network.recurrence else {
      if wanted != nil { throw TransformerError(.notRecurrent) }
      return 0
    }
    let passes = wanted ?? recurrence.mean
    guard (1...Model.mostRecurrences).contains(passes) else {
      throw TransformerError(.recurrenceOutOfRange(passes))
    }
    return passes
  }

  func context(_ visibility: Visibility) throws(MemoryError) -> BlockContext {
    BlockContext(
      network: network, tables: try rotation(visibility.past + visibility.queries),
      positions: (0..<visibility.rows).map {
        Int32(visibility.past + $0 % visibility.queries)
      }, visibility: visibility, compute: compute)
  }

  private func logits(
    _ wanted: ForwardOptions.Logits, _ normed: Matrix, _ batch: Batch
  ) throws(MemoryError) -> Matrix? {
    switch wanted {
    case .none: return nil
    case .all: return try logits(of: normed)
    case .last:
      let rows = try Matrix(rows: batch.sequences, columns: normed.columns)
      for b in 0..<batch.sequences {
        let last = (b + 1) * batch.length - 1
        copy(rows.rows(b..<(b + 1)), normed.rows(last..<(last + 1)), on: compute)
      }
      return try logits(of: rows)
    }
  }

  /// `[rows, V]`: the head over rows that the final norm has seen.
  package func logits(of normed: Matrix) throws(MemoryError) -> Matrix {
    let logits = try Matrix(rows: normed.rows, columns: network.sizes.vocabulary)
    network.predict(logits, normed, on: compute)
    return logits
  }

  private func copied(_ matrix: Matrix) throws(MemoryError) -> Matrix {
    let new = try Matrix(rows: matrix.rows, columns: matrix.columns)
    copy(new, matrix, on: compute)
    return new
  }
}

extension BlockContext {
  /// Runs blocks over the stream, one after another.
  func run(_ blocks: [Int], _ room: Room, trace: inout Trace?) {
    for block in blocks {
      forward(network.blocks[block], room.stream, room.stream, keeping: room.kept, room.work)
      trace?.append(room.stream, on: compute)
    }
  }

  /// Takes the stream as the prelude's output and sets the state to s₀.
  func start(
    _ recurrence: Network.Recurrence, _ room: Room, _ state: InitialState, firstSequence: Int = 0,
    bypassesAdapter: Bool
  ) throws(TransformerError) {
    copy(room.embedded, room.stream, on: compute)
    if !bypassesAdapter {
      recurrence.injector.prepare(room.injected, room.embedded, on: compute)
    }
    try state.fill(
      room.state, embedded: room.embedded, recurrence.start, visibility,
      firstSequence: firstSequence, on: compute)
  }

  /// Makes the core's input from the state and the prelude's output; or from the latter alone.
  func inject(
    _ recurrence: Network.Recurrence, _ room: Room, isFirst: Bool, bypassesAdapter: Bool
  ) {
    if bypassesAdapter {
      copy(room.stream, room.embedded, on: compute)
    } else {
      recurrence.injector.inject(
        room.stream, room.state, room.injected, isFirst: isFirst, on: compute)
    }
  }

  /// Takes the core's output as the new state, or what the gate makes of it.
  func finishPass(_ recurrence: Network.Recurrence, _ room: Room, bypassesGate: Bool) {
    recurrence.finish(
      room.state, room.stream, from: room.state, bypassesGate: bypassesGate,
      wide: room.work.normed, room: room.injected, on: compute)
    if recurrence.keepsOutput { copy(room.stream, room.state, on: compute) }
  }
}

/// Collects hidden states.
struct Trace {
  let hidden: Matrix
  private let rows: Int
  private var count = 0

  init(_ room: Room, layers: Int) throws(MemoryError) {
    rows = room.rows
    hidden = try Matrix(rows: (layers + 1) * room.rows, columns: room.stream.columns)
  }

  mutating func append(_ stream: Matrix, on compute: Compute) {
    copy(hidden.rows(count * rows..<(count + 1) * rows), stream, on: compute)
    count += 1
  }

  mutating func replaceLast(_ normed: Matrix, on compute: Compute) {
    count -= 1
    append(normed, on: compute)
  }
}
