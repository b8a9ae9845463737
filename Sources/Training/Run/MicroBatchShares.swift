/// Which member of a group runs which of a step's micro-batches.
///
/// Micro-batches differ in cost, since each draws its own number of recurrences, and a step takes as
/// long as its slowest member. Every member has equally many; the longest go first, each to the
/// member that has the least to do (longest processing time first).
struct MicroBatchShares: Equatable {
  /// For each member, indices of micro-batches, ascending.
  let perMember: [[Int]]

  /// - Parameters:
  ///   - costs: Of each micro-batch, in any unit; as many as a multiple of the members.
  init(costs: [Double], members: Int) {
    precondition(costs.count % members == 0, "members divide the micro-batches; checked before")
    let room = costs.count / members
    var shares = [[Int]](repeating: [], count: members)
    var loads = [Double](repeating: 0, count: members)
    let order = costs.indices.sorted { (costs[$1], $0) < (costs[$0], $1) }
    for index in order {
      let free = shares.indices.filter { shares[$0].count < room }
      guard let member = free.min(by: { (loads[$0], $0) < (loads[$1], $1) }) else { break }
      shares[member].append(index)
      loads[member] += costs[index]
    }
    perMember = shares.map { $0.sorted() }
  }
}
