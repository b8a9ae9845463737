import Glibc

/// A lock, and a place where threads that hold it wait until others say that something changed.
@safe
package final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init() {
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(changed, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(mutex)
    unsafe changed.deallocate()
    unsafe mutex.deallocate()
  }

  package func locked<R>(_ body: () -> R) -> R {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Gives the lock away until `announce`, which may also come for nothing; inside `locked` only.
  package func wait() { unsafe pthread_cond_wait(changed, mutex) }

  /// Wakes all who wait; inside `locked`, or after it.
  package func announce() { unsafe pthread_cond_broadcast(changed) }
}
