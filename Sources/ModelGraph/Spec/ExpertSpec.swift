/// Several MLPs, of which each token goes through a few (Shazeer et al. 2017).
///
/// p = softmax(router · x); the `chosen` largest of p are the weights of what their experts give.
package struct ExpertSpec: Hashable, Sendable {
  /// E.
  package var count: Int
  /// Experts of a token.
  package var chosen: Int
  /// m of each expert.
  package var width: Int
  /// Whether the chosen weights are divided by their sum.
  package var isNormalised: Bool
  /// Factor, in training, on the loss that keeps the experts' loads even (Fedus et al. 2021, section
  /// 2.2); 0 for none.
  package var balance: Double

  package init(count: Int, chosen: Int, width: Int, isNormalised: Bool, balance: Double = 0) {
    self.count = count
    self.chosen = chosen
    self.width = width
    self.isNormalised = isNormalised
    self.balance = balance
  }
}

extension Block {
  /// Whether the tensors of all experts are stored as one.
  package var hasPackedExperts: Bool { self[.expertsGateUp] != nil || self[.expertsDown] != nil }

  /// The parameters whose rows, one after another, are `role` as it is in memory: the tensor itself,
  /// or its parts, expert by expert where there are several.
  package func pieces(of role: BlockRole) -> [Parameter] {
    if let whole = self[role] { return [whole] }
    let parts = parameters.filter { $0.role.facts.fusedInto == role }
    guard role.facts.isPacked else { return parts.map(\.parameter) }
    // Within an expert the order is that of the roles, as it is in `parameters`.
    let experts = Dictionary(grouping: parts, by: { $0.expert ?? 0 })
    return experts.sorted { $0.key < $1.key }.flatMap { $0.value.map(\.parameter) }
  }
}

extension BlockRole {
  /// Whether the role is a matrix of an expert, or of all.
  package var isOfExperts: Bool { facts.isPacked || facts.fusedInto?.facts.isPacked ?? false }

  /// What stands for an expert's number in the names of its tensors.
  static let expertMark = "*"
}
