/// What the environment says about how this process was started.
package struct Launch: Equatable, Sendable {
  package var isOpenMPI: Bool
  /// This process's number among `count`.
  package var rank: Int
  package var count: Int

  package init(isOpenMPI: Bool, rank: Int, count: Int) {
    self.isOpenMPI = isOpenMPI
    self.rank = rank
    self.count = count
  }

  /// Reads the variables that Open MPI's mpirun sets, or those of the PMI interface, by which MPICH
  /// and its kin start processes; nil without either.
  package init?(_ variable: (String) -> String?) {
    func number(_ name: String) -> Int? { variable(name).flatMap { Int($0) } }
    if let count = number("OMPI_COMM_WORLD_SIZE") {
      self.init(isOpenMPI: true, rank: number("OMPI_COMM_WORLD_RANK") ?? 0, count: count)
    } else if let count = number("PMI_SIZE") {
      self.init(isOpenMPI: false, rank: number("PMI_RANK") ?? 0, count: count)
    } else {
      return nil
    }
  }
}
