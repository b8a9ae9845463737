import Glibc
import SystemPackage

// Every call to the operating system stands in this module and in `CPlatform`: a port to another
// system is a port of these two folders. What a call refuses becomes an `Errno`, never a nil or a
// false: the caller decides which refusal is an answer.

/// What `call` gives, made again for as long as a signal interrupts it; -1 becomes an error.
func result<Value: SignedInteger>(of call: () -> Value) throws(Errno) -> Value {
  while true {
    let value = call()
    if value != -1 { return value }
    let failure = Errno(rawValue: errno)
    if failure != .interrupted { throw failure }
  }
}

/// As `result`, for calls that give nothing but success.
func perform(_ call: () -> Int32) throws(Errno) { _ = try result(of: call) }

/// Ends the process at once, whatever its other threads are doing.
package func endProcess(_ status: Int32) -> Never { _exit(status) }

/// The number by which the system knows this process.
package var processNumber: Int { Int(getpid()) }
