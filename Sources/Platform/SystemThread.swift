import Glibc
package import SystemPackage

/// A thread of the operating system.
package struct SystemThread: @unchecked Sendable {
  private let thread: pthread_t

  private final class Start {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Starts a thread that carries out `body`.
  package init(_ body: @escaping @Sendable () -> Void) throws(Errno) {
    var thread = pthread_t()
    // SAFETY: the retained start is released once, by the thread, or here when there is none.
    let start = unsafe Unmanaged.passRetained(Start(body))
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, start.toOpaque())
    guard status == 0 else {
      unsafe start.release()
      throw Errno(rawValue: status)
    }
    self.thread = thread
  }

  /// Waits for the thread's end.
  package func join() { _ = pthread_join(thread, nil) }

  /// Lets the thread end by itself; it cannot be joined then.
  package func detach() { _ = pthread_detach(thread) }

  /// Gives the rest of the calling thread's time slice away.
  package static func giveWay() { _ = sched_yield() }

  /// Stops the calling thread for a while, or until a signal.
  package static func sleep(microseconds: UInt32) { _ = usleep(microseconds) }
}
