import CPlatform
import Glibc

/// `byteCount` zeroed bytes of their own, at the start of a page; nil when the system has none.
package func mapMemory(_ byteCount: Int) -> UnsafeMutableRawPointer? {
  if ck_guards_memory() != 0 { return unsafe ck_heap_bytes(byteCount) }
  // SAFETY: a new private mapping, which its owner gives back with `unmapMemory`.
  let memory = unsafe mmap(
    nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  return unsafe memory == MAP_FAILED ? nil : memory
}

/// The most bytes of memory that the process has had at once; nil where the system does not tell.
package var peakMemory: Int? {
  var usage = rusage()
  // SAFETY: the call writes into the value and keeps no pointer to it.
  guard unsafe getrusage(RUSAGE_SELF.rawValue, &usage) == 0 else { return nil }
  return usage.ru_maxrss * 1024
}

/// Gives back what `mapMemory` gave.
package func unmapMemory(_ memory: UnsafeMutableRawPointer, _ byteCount: Int) {
  if ck_guards_memory() != 0 { return unsafe free(memory) }
  unsafe munmap(memory, byteCount)
}

/// Asks for huge pages, which the system may refuse.
package func preferHugePages(_ memory: UnsafeMutableRawPointer, _ byteCount: Int) {
  _ = unsafe madvise(memory, byteCount, MADV_HUGEPAGE)
}
