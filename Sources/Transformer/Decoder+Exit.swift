import ByteIO
import Kernels
import ModelGraph
import Tensors

/// When a token stops going through the core before the most passes are made.
package enum ExitRule: Equatable, Sendable {
  /// The Kullback-Leibler divergence of the prediction from the one a pass earlier is below this.
  case divergence(Double)
  /// The state moved by less than this, relative to its norm.
  case latent(Double)
}

extension Decoder {
  /// What stays from pass to pass, and the states of the rows that are done.
  struct ExitRoom {
    let state: Matrix  // [B, h] a pass earlier
    let injected: Matrix  // [B, h]
    let logits: Matrix  // [B, V]
    let earlierLogits: Matrix  // [B, V]
    let finalState: Matrix  // [B, h]

    init(_ sizes: ModelSizes, rows: Int) throws(MemoryError) {
      state = try Matrix(rows: rows, columns: sizes.hidden)
      injected = try Matrix(rows: rows, columns: sizes.hidden)
      logits = try Matrix(rows: rows, columns: sizes.vocabulary)
      earlierLogits = try Matrix(rows: rows, columns: sizes.vocabulary)
      finalState = try Matrix(rows: rows, columns: sizes.hidden)
    }
  }

  /// Makes passes until every row is done; those that are done leave the others, which go on as if
  /// they had never been there.
  ///
  /// - Parameters:
  ///   - room: With the first states and what is injected.
  ///   - rows: Of sequences that differ.
  ///   - target: `[rows, V]`, gets the predictions.
  /// - Returns: The passes that each row made.
  func leaveCore(
    _ recurrence: Network.Recurrence, _ room: Room, _ rows: [Row], _ exit: ExitRule,
    _ target: Matrix
  ) throws -> [Int] {
    let own = try exitRoom ?? ExitRoom(network.sizes, rows: min(sequences, independentRows))
    exitRoom = own
    var depths = [Int](repeating: passes, count: rows.count)
    var room = room
    var context = try context(rows)
    var active = Array(rows.indices)
    for pass in 0..<passes {
      try Interruption.check()
      let here = active.map { rows[$0] }
      copy(own.state.rows(0..<active.count), room.state, on: compute)
      makePass(pass, context, recurrence, room, here)
      var isDone = try isDone(after: pass, exit, context, room, here, own)
      if pass + 1 == passes { isDone = isDone.map { _ in true } }
      for (i, row) in active.enumerated() where isDone[i] {
        depths[row] = pass + 1
        copyRow(own.finalState, row, room.state, i)
        if case .divergence = exit { copyRow(target, row, own.logits, i) }
      }
      let left = active.indices.filter { !isDone[$0] }
      if left.isEmpty { break }
      for (to, from) in left.enumerated() {
        copyRow(own.state, to, room.state, from)
        copyRow(own.injected, to, room.injected, from)
        if case .divergence = exit { copyRow(own.earlierLogits, to, own.logits, from) }
      }
      if left.count == active.count { continue }
      active = left.map { active[$0] }
      room = try model.room(active.count)
      context = try self.context(active.map { rows[$0] })
      copy(room.state, own.state.rows(0..<active.count), on: compute)
      copy(room.injected, own.injected.rows(0..<active.count), on: compute)
    }
    // Only a divergence needs the prediction of every pass.
    if case .latent = exit {
      room = try model.room(rows.count)
      copy(room.state, own.finalState.rows(0..<rows.count), on: compute)
      predict(target, try self.context(rows), room, rows)
    }
    for (row, depth) in zip(rows, depths) { keepLastPass(row, depth) }
    return depths
  }

  /// Which rows have done enough.
  private func isDone(
    after pass: Int, _ exit: ExitRule, _ context: BlockContext, _ room: Room, _ rows: [Row],
    _ own: ExitRoom
  ) throws -> [Bool] {
    switch exit {
    case .latent(let limit):
      return rows.indices.map { i in
        relativeChange(room.state.rows(i..<i + 1), from: own.state.rows(i..<i + 1)) < limit
      }
    case .divergence(let limit):
      predict(own.logits.rows(0..<rows.count), context, room, rows)
      return rows.indices.map { i in
        pass > 0
          && divergenceOfSoftmax(
            own.logits.rows(i..<i + 1), from: own.earlierLogits.rows(i..<i + 1)) < limit
      }
    }
  }

  func copyRow(_ y: Matrix, _ to: Int, _ x: Matrix, _ from: Int) {
    copy(y.rows(to..<to + 1), x.rows(from..<from + 1), on: compute)
  }

  /// Gives the slots that an early exit left empty the keys and values of the last pass made.
  private func keepLastPass(_ row: Row, _ depth: Int) {
    let entries = caches[row.sequence].entries
    for pass in depth..<max(depth, slots) {
      for i in 0..<network.coreBlocks.count {
        let (from, to) = (entries[coreCache(depth - 1) + i], entries[coreCache(pass) + i])
        copyRow(to.keys, row.position, from.keys, row.position)
        copyRow(to.values, row.position, from.values, row.position)
      }
    }
  }
}
