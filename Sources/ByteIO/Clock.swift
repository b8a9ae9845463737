import Glibc

/// Seconds on a clock that never goes back, for durations.
package func monotonicSeconds() -> Double {
  var time = timespec()
  // SAFETY: the call writes the one structure it is given.
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
