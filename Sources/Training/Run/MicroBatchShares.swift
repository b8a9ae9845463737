/// Which rank of a group runs which of a step's micro-batches.
///
/// Micro-batches differ in cost, since each draws its own number of recurrences, and a step takes as
/// long as its slowest rank. Every rank has equally many; the longest go first, each to the
/// rank that has the least to do (longest processing time first).
struct MicroBatchShares: Equatable {
  /// For each rank, indices of micro-batches, ascending.
  let perRank: [[Int]]

  /// - Parameters:
  ///   - costs: Of each micro-batch, in any unit; as many as a multiple of the ranks.
  init(costs: [Double], ranks: Int) {
    precondition(costs.count % ranks == 0, "ranks divide the micro-batches; checked before")
    let room = costs.count / ranks
    var shares = [[Int]](repeating: [], count: ranks)
    var loads = [Double](repeating: 0, count: ranks)
    let order = costs.indices.sorted { (costs[$1], $0) < (costs[$0], $1) }
    for index in order {
      let free = shares.indices.filter { shares[$0].count < room }
      guard let rank = free.min(by: { (loads[$0], $0) < (loads[$1], $1) }) else { break }
      shares[rank].append(index)
      loads[rank] += costs[index]
    }
    perRank = shares.map { $0.sorted() }
  }
}
