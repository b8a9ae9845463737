import Glibc

/// Today's date and the time of day, by the system's clock and time zone.
package func localTime() -> (year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
  var now = time(nil)
  var parts = unsafe tm()
  // SAFETY: the call reads one number and writes the one structure it is given.
  _ = unsafe localtime_r(&now, &parts)
  return unsafe (
    Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday), Int(parts.tm_hour),
    Int(parts.tm_min), Int(parts.tm_sec)
  )
}

/// Seconds on a clock that never goes back, for durations.
package func monotonicSeconds() -> Double {
  var time = timespec()
  // SAFETY: the call writes the one structure it is given.
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
