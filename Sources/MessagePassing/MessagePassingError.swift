package import ByteIO

/// Why processes that were started together cannot train together.
package struct MessagePassingError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// This program was built without MPI.
    case notBuilt(Launch)
    /// Something that is not Open MPI started the processes.
    case foreignLauncher(Launch)
    /// MPI found another number of processes than mpirun started.
    case otherCount(found: Int, Launch)
    /// An MPI function failed on this rank.
    case failed(function: String, reason: String, rank: String)
  }

  package var problem: Problem

  package init(_ problem: Problem) { self.problem = problem }

  package var code: String {
    switch problem {
    case .notBuilt: "mpi.not_built"
    case .foreignLauncher: "mpi.foreign_launcher"
    case .otherCount: "mpi.other_count"
    case .failed: "mpi.failed"
    }
  }

  package var kind: FailureKind {
    if case .failed = problem { .inputOutput } else { .unsupported }
  }

  package var message: String {
    switch problem {
    case .notBuilt(let launch):
      "rank \(launch.rank): mpirun started \(launch.count) processes, but this ckpt was built "
        + "without MPI: they would all write the same run folder"
    case .foreignLauncher(let launch):
      "rank \(launch.rank): \(launch.count) processes were started by a launcher that is not "
        + "Open MPI's"
    case .otherCount(let found, let launch):
      "rank \(launch.rank): mpirun started \(launch.count) processes, but MPI finds \(found)"
    case .failed(let function, let reason, let rank): "\(rank): \(function): \(reason)"
    }
  }

  package var hint: String? {
    switch problem {
    case .notBuilt: "build with Scripts/release.sh --traits MPI, or start one process"
    case .foreignLauncher: "start it with Open MPI's mpirun"
    case .otherCount: "use the mpirun of the Open MPI that ckpt was built with"
    case .failed: "see what mpirun says; go on with --resume"
    }
  }
}
