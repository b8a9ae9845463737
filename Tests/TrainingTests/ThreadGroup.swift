import Foundation
import Tensors
import Testing

@testable import Training

/// Ranks that are threads of this process and meet in memory. Sums are made in the order of
/// ranks; calls that do not match in kind, order or size are recorded as issues.
final class ThreadGroup: @unchecked Sendable {
  let count: Int
  private let condition = NSCondition()
  private var arrived: [(rank: Int, call: Call)] = []
  private var results: [[Double]] = []
  private var generation = 0

  enum Call {
    case sums([(Buffer, Range<Int>)])
    case values([Double])
  }

  init(_ count: Int) { self.count = count }

  /// Runs `body` once for each rank, each on a thread of its own; gives what each threw.
  static func run(
    _ count: Int, _ body: @escaping @Sendable (Rank) throws -> Void
  ) -> [(any Error)?] {
    let group = ThreadGroup(count)
    nonisolated(unsafe) var errors = [(any Error)?](repeating: nil, count: count)
    let done = DispatchGroup()
    for rank in 0..<count {
      done.enter()
      let thread = Thread {
        defer { done.leave() }
        do { try body(Rank(group: group, rank: rank)) } catch {
          group.condition.withLock { errors[rank] = error }
        }
      }
      thread.start()
    }
    done.wait()
    return errors
  }

  final class Rank: GradientExchange {
    let group: ThreadGroup
    let rank: Int
    private(set) var begun: [(Buffer, Range<Int>)] = []
    /// Ranges of all sums so far.
    private(set) var history: [Range<Int>] = []
    /// A second for every `finish`.
    private(set) var activeSeconds = 0.0

    init(group: ThreadGroup, rank: Int) {
      self.group = group
      self.rank = rank
    }

    var worldSize: Int { group.count }
    func name(of rank: Int) -> String { "rank \(rank) on thread" }

    func begin(_ values: Buffer, _ range: Range<Int>) {
      begun.append((values, range))
      history.append(range)
    }

    func finish() {
      _ = group.meet(rank, .sums(begun))
      activeSeconds += 1
      begun = []
    }

    func sum(_ values: [Double]) -> [Double] { group.meet(rank, .values(values)) }
  }

  private func meet(_ rank: Int, _ call: Call) -> [Double] {
    condition.lock()
    defer { condition.unlock() }
    arrived.append((rank, call))
    let mine = generation
    if arrived.count == count {
      results = combine(arrived.sorted { $0.rank < $1.rank }.map(\.call))
      arrived = []
      generation += 1
      condition.broadcast()
    } else {
      while generation == mine { condition.wait() }
    }
    return results[rank]
  }

  private func combine(_ calls: [Call]) -> [[Double]] {
    let lists = calls.compactMap { if case .values(let values) = $0 { values } else { nil } }
    if let first = lists.first {
      #expect(lists.allSatisfy { $0.count == first.count } && lists.count == count)
      let sums = first.indices.map { i in lists.reduce(0) { $0 + $1[i] } }
      return [[Double]](repeating: sums, count: count)
    }
    let sums = calls.compactMap { if case .sums(let sums) = $0 { sums } else { nil } }
    #expect(sums.allSatisfy { $0.map(\.1) == sums[0].map(\.1) })
    for number in sums[0].indices {
      for i in sums[0][number].1 {
        let total = sums.reduce(Float(0)) { $0 + $1[number].0[i] }
        for list in sums { list[number].0[i] = total }
      }
    }
    return [[Double]](repeating: [], count: count)
  }
}
