import ByteIO
import Kernels
import Platform
import Synchronization

/// Rows of a source that is read while the run trains: documents are tokenised ahead by a thread of their
/// own, and nothing is kept on the disk.
package final class StreamedRows: SourceRows {
  private let plan: StreamPlan
  private let producer = Mutex<RowProducer?>(nil)
  private let held = Mutex<[Int: [[UInt32]]]>([:])

  package init(_ plan: StreamPlan) { self.plan = plan }

  package var path: String { plan.request.path }
  package var start: StreamPlace? { StreamPlace() }

  /// Bad records that were left out so far.
  package var skipped: Int { producer.withLock { $0?.skipped ?? 0 } }

  package func next(after count: Int, _ place: inout StreamPlace?) throws -> [UInt32] {
    let wanted = place ?? StreamPlace()
    let producer = try self.producer.withLock { current in
      if let current, current.place == wanted { return current }
      current?.stop()
      let fresh = try RowProducer(plan, from: wanted)
      current = fresh
      return fresh
    }
    guard let row = try producer.take() else {
      throw DataError(.exhausted(epochs: plan.epochLimit), path)
    }
    place = producer.place
    return row
  }

  package func heldOut(limit: Int) throws -> [[UInt32]] {
    guard limit > 0, plan.holdsOut else { return [] }
    if let known = held.withLock({ $0[limit] }) { return known }
    var tokens: [UInt32] = []
    for shard in plan.shards.indices where tokens.count < limit * plan.width {
      var reader = try plan.reader(of: shard)
      while tokens.count < limit * plan.width, let document = try reader.next(heldOut: true) {
        try Interruption.check()
        tokens += document
      }
    }
    let count = min(limit, tokens.count / plan.width)
    guard count > 0 else {
      throw DataError(.tooFewTokens(found: tokens.count, needed: plan.width), path)
    }
    let rows = (0..<count).map { Array(tokens[$0 * plan.width..<($0 + 1) * plan.width]) }
    held.withLock { $0[limit] = rows }
    return rows
  }

  /// Rows that are looked at for something to learn.
  private static let sample = 4096

  package func requireLearned() throws {
    var generator = RowGenerator(plan, from: StreamPlace())
    var count = 0
    while count < Self.sample, let row = try generator.next() {
      if row.isLearned { return }
      count += 1
    }
    throw TrainingError(.nothingLearned(tokens: count * plan.width, heldOut: false), path)
  }
}

/// A thread that makes rows ahead of who takes them.
private final class RowProducer: @unchecked Sendable {
  private enum Item {
    case row([UInt32], StreamPlace)
    case end
    case failure(any Error)
  }

  private let monitor = Monitor()
  // Both are touched inside the monitor alone.
  private var items: [Item] = []
  private var isStopped = false
  private let skippedCount = Atomic(0)

  /// After the last row that was taken; the consumer's alone.
  private(set) var place: StreamPlace

  /// Rows that are made ahead.
  private static let ahead = 256

  init(_ plan: StreamPlan, from place: StreamPlace) throws {
    self.place = place
    do {
      try SystemThread { [self] in work(plan, from: place) }.detach()
    } catch {
      throw ThreadError(wanted: 2, started: 1, reason: error)
    }
  }

  var skipped: Int { skippedCount.load(ordering: .relaxed) }

  /// The next row, waited for; nil after the last.
  func take() throws -> [UInt32]? {
    let item = monitor.locked {
      while items.isEmpty { monitor.wait() }
      let first = items[0]
      // What ends the rows stays, for whoever asks again.
      if case .row = first { items.removeFirst() }
      monitor.announce()
      return first
    }
    switch item {
    case .row(let row, let after):
      place = after
      return row
    case .end: return nil
    case .failure(let error): throw error
    }
  }

  func stop() {
    monitor.locked {
      isStopped = true
      monitor.announce()
    }
  }

  /// Waits for room; false when nobody wants more.
  private func put(_ item: Item) -> Bool {
    monitor.locked {
      while items.count >= Self.ahead, !isStopped { monitor.wait() }
      items.append(item)
      monitor.announce()
      return !isStopped
    }
  }

  private func work(_ plan: StreamPlan, from place: StreamPlace) {
    var generator = RowGenerator(plan, from: place)
    var last = place
    while true {
      do {
        guard let row = try generator.next() else {
          _ = put(.end)
          return
        }
        last = generator.place
        skippedCount.store(generator.skipped, ordering: .relaxed)
        if !put(.row(row, last)) { return }
      } catch let error as FileError where error.problem == .interrupted {
        // The run decides what a signal means. Rows are made again from where they were whole.
        if monitor.locked({ isStopped }) { return }
        SystemThread.sleep(microseconds: 10_000)
        generator = RowGenerator(plan, from: last)
      } catch {
        _ = put(.failure(error))
        return
      }
    }
  }
}
