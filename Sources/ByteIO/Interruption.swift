import Platform

/// Turns SIGINT and SIGTERM into an error at the next check, so that nothing half-written stays.
package enum Interruption {
  /// Catches the signals from now on; a second one ends the process at once.
  package static func install() { StopSignals.install() }

  /// Whether a signal has arrived.
  package static var isRequested: Bool { StopSignals.haveArrived }

  /// Takes note of the signal, so that what must still be written can be; gives whether there was
  /// one.
  package static func acknowledge() -> Bool { StopSignals.acknowledge() }

  /// Throws when a signal has arrived; long loops call it between steps.
  package static func check() throws(FileError) {
    if isRequested { throw FileError("", .interrupted) }
  }
}
