package import ByteIO
package import SystemPackage

/// The system does not start the threads that were asked for.
package struct ThreadError: DiagnosedError, Equatable {
  package var wanted: Int
  package var started: Int
  package var reason: Errno

  package init(wanted: Int, started: Int, reason: Errno) {
    self.wanted = wanted
    self.started = started
    self.reason = reason
  }

  package var code: String { "threads.exhausted" }
  package var kind: FailureKind { .resourceLimit }
  package var message: String {
    "the system started \(started) of \(wanted) threads: \(reason)"
  }
  package var hint: String? { "pass fewer with --threads, or raise the limit (ulimit -u)" }
}
