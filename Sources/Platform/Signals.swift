import CPlatform
import Glibc
import Synchronization

/// SIGINT and SIGTERM, taken note of; a closed pipe or a file at its limit, an error like others.
package enum StopSignals {
  private static let requested = Atomic<Bool>(false)

  /// Catches the signals from now on; a second one ends the process at once.
  package static func install() {
    for number in [SIGINT, SIGTERM] {
      ck_catch_signal(number) { number in
        StopSignals.requested.store(true, ordering: .relaxed)
        ck_catch_signal(number, SIG_DFL)
      }
    }
    for number in [SIGPIPE, SIGXFSZ] { ck_catch_signal(number, SIG_IGN) }
    // A parent's worker thread may have passed on a mask that holds them back.
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGINT)
    unsafe sigaddset(&signals, SIGTERM)
    unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// Whether a signal has arrived.
  package static var haveArrived: Bool { requested.load(ordering: .relaxed) }

  /// Takes note of the signal; gives whether there was one.
  package static func acknowledge() -> Bool { requested.exchange(false, ordering: .relaxed) }
}
