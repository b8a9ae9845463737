import ByteIO
import Platform
package import Training

/// Processes that one command started together, of which this is a rank.
package protocol ProcessGroup: GradientExchange {
  /// Threads for each rank, such that all of a machine's fill its processors; the same for all
  /// ranks, since results depend on it.
  var threads: Int { get }

  /// Leaves the group, when all ranks do.
  func leave() throws

  /// Ends every rank at once; `status` becomes that of the command which started them.
  func abort(_ status: Int32) -> Never
}

/// How this process finds the others.
package enum MessagePassing {
  /// The group that this process was started in; nil when it was started alone.
  ///
  /// - Parameter variable: Looks up the environment.
  /// - Throws: `MessagePassingError` when there are others and they cannot be reached: they must not
  ///   all write the same files.
  package static func join(
    _ variable: (String) -> String? = environment
  ) throws -> (any ProcessGroup)? {
    guard let launch = Launch(variable), launch.count > 1 else { return nil }
    guard launch.isOpenMPI else { throw MessagePassingError(.foreignLauncher(launch)) }
    #if MPI
    return try MPIGroup(launch)
    #else
    throw MessagePassingError(.notBuilt(launch))
    #endif
  }
}
