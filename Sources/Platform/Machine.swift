import CPlatform
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

/// Value of the environment variable `name`; nil when it is not set.
package func environment(_ name: String) -> String? {
  // SAFETY: the string is copied at once; nothing in this program changes the environment.
  unsafe getenv(name).map { unsafe PathText.string(at: $0) }
}

/// Processors that this process may run on, at least one: fewer than the machine has when its parent
/// has bound it to some.
package func availableProcessorCount() -> Int { max(1, Int(ck_available_processors())) }

/// Processors of the machine, at least one.
package func onlineProcessorCount() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
