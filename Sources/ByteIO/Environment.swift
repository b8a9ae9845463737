import Glibc

/// Value of the environment variable `name`; nil when it is not set.
package func environment(_ name: String) -> String? {
  // SAFETY: the string is copied at once; nothing in this program changes the environment.
  unsafe getenv(name).map { unsafe String(cString: $0) }
}
