import ByteIO
import CBLAS
import CKernels
import Platform
import Synchronization
import Tensors

/// A fixed number of threads that carry out one job at a time together, the caller being the first.
///
/// Work is divided by the number of threads alone, so the same count gives the same bits. OpenBLAS
/// is held to one thread: its calls run side by side, one on each of ours.
package final class ThreadPool: Sendable {
  package let count: Int
  private let crew: Crew
  private let threads: [SystemThread]
  /// A lock of the system's, which ThreadSanitizer knows; it does not see into Swift's own.
  private let inUse = Monitor()

  /// - Parameter count: Threads, the caller's included; nil takes one for each processor.
  /// - Throws: `ThreadError` when the system has not as many; fewer would give other bits.
  ///   `MemoryError` or `MissingLibrary` when there is no OpenBLAS for them.
  package init(_ count: Int? = nil) throws {
    let count = min(max(1, count ?? Self.processorCount), 256)
    try Self.loadOpenBLAS(threads: count)
    let crew = Crew(count)
    self.count = count
    self.crew = crew
    threads = try Self.start(crew, count)
  }

  /// Loads the library for products on so many threads; where it has not the memory it would wait for
  /// it without end.
  private static func loadOpenBLAS(threads: Int) throws {
    let needed = threads * CK_BLAS_BYTES_PER_THREAD
    guard let room = unsafe mapMemory(needed) else { throw MemoryError(needed) }
    unsafe unmapMemory(room, needed)
    let isLoaded = loading.locked { ck_blas_load() == 0 }
    guard isLoaded else { throw MissingLibrary() }
  }

  private static let loading = Monitor()

  /// Starts the threads beside the caller, all or none.
  private static func start(_ crew: Crew, _ count: Int) throws(ThreadError) -> [SystemThread] {
    var threads: [SystemThread] = []
    for index in 1..<count {
      do { threads.append(try SystemThread { crew.work(index) }) } catch {
        crew.dismiss()
        for thread in threads { thread.join() }
        throw ThreadError(wanted: count, started: index, reason: error)
      }
    }
    return threads
  }

  deinit {
    crew.dismiss()
    for thread in threads { thread.join() }
  }

  /// Processors that this process may use.
  package static var processorCount: Int { availableProcessorCount() }

  /// Calls `body` once on each thread, with the thread's index, and returns when all are done.
  package func run(_ body: (_ worker: Int) -> Void) {
    if count == 1 { return body(0) }
    inUse.locked {
      withoutActuallyEscaping(body) { body in
        crew.start(body)
        body(0)
        crew.finish()
      }
    }
  }

  /// Divides 0..<count evenly into one range a thread, each a multiple of `grain` long.
  package func divide(_ count: Int, grain: Int = 1, _ body: (_ worker: Int, Range<Int>) -> Void) {
    let units = (count + grain - 1) / grain
    if units <= 1 { return count > 0 ? body(0, 0..<count) : () }
    run { worker in
      let range = part(count, worker, of: self.count, grain: grain)
      if !range.isEmpty { body(worker, range) }
    }
  }

  /// Calls `body` for each of 0..<count, whichever thread is free; tasks do not share results.
  package func each(_ count: Int, _ body: (_ worker: Int, _ task: Int) -> Void) {
    if count <= 1 { return count == 1 ? body(0, 0) : () }
    let next = Atomic(0)
    run { worker in
      while true {
        let task = next.add(1, ordering: .relaxed).oldValue
        if task >= count { return }
        body(worker, task)
      }
    }
  }

  /// Divides 0..<count into several ranges a thread, each a multiple of `grain` long, for whichever
  /// thread is free: where threads are not equally fast. Ranges do not share results.
  package func share(_ count: Int, grain: Int, _ body: (_ worker: Int, Range<Int>) -> Void) {
    let units = (count + grain - 1) / grain
    let ranges = min(units, self.count == 1 ? 1 : 4 * self.count)
    each(ranges) { worker, index in
      body(worker, part(count, index, of: ranges, grain: grain))
    }
  }

  /// Memory of thread `worker` alone, kept from call to call; its values are left over.
  func workspace(_ worker: Int, floats: Int) -> UnsafeMutablePointer<Float> {
    unsafe crew.workspace(worker, floats: floats)
  }
}

/// Part `index` of `count` even parts of 0..<extent, each a multiple of `grain` long but the last.
func part(_ extent: Int, _ index: Int, of count: Int, grain: Int) -> Range<Int> {
  let units = (extent + grain - 1) / grain
  return min(
    extent, units * index / count * grain)..<min(extent, units * (index + 1) / count * grain)
}

/// What the threads share.
@safe
private final class Crew: @unchecked Sendable {
  private let count: Int
  private let generation = Atomic<UInt32>(0)
  private let pending = Atomic(0)
  private let monitor = Monitor()
  /// Written while all threads wait, read after `generation` has changed.
  private var job: ((Int) -> Void)?
  /// Element i is touched by thread i alone.
  private let workspace: UnsafeMutableBufferPointer<Buffer?>

  /// Turns of waiting for the next job, some 50 microseconds, before a thread sleeps.
  private static let patience = 2000

  init(_ count: Int) {
    self.count = count
    unsafe workspace = .allocate(capacity: count)
    unsafe workspace.initialize(repeating: nil)
  }

  deinit {
    unsafe workspace.deinitialize()
    unsafe workspace.deallocate()
  }

  func work(_ index: Int) {
    var seen: UInt32 = 0
    while true {
      wait(after: seen)
      seen &+= 1
      guard perform(index) else { return }
      pending.subtract(1, ordering: .releasing)
    }
  }

  /// Carries out the job; false when there is none and the thread shall end. A function of its own,
  /// so that the thread's hold on the closure has ended when the job is reported done.
  @inline(never)
  private func perform(_ index: Int) -> Bool {
    guard let job else { return false }
    job(index)
    return true
  }

  private func wait(after seen: UInt32) {
    for _ in 0..<Self.patience {
      if generation.load(ordering: .acquiring) != seen { return }
      ck_pause()
    }
    monitor.locked {
      while generation.load(ordering: .acquiring) == seen { monitor.wait() }
    }
  }

  func start(_ body: @escaping (Int) -> Void) {
    job = body
    announce()
  }

  private func announce() {
    pending.store(count - 1, ordering: .relaxed)
    generation.add(1, ordering: .releasing)
    // The lock keeps a thread from falling asleep between its check and its wait.
    monitor.locked { monitor.announce() }
  }

  /// Waits until every other thread has done its part.
  func finish() {
    var turns = 0
    while pending.load(ordering: .acquiring) != 0 {
      turns += 1
      if turns > Self.patience { SystemThread.giveWay() } else { ck_pause() }
    }
    job = nil
  }

  /// Ends the threads: a job that is nil.
  func dismiss() { announce() }

  func workspace(_ worker: Int, floats: Int) -> UnsafeMutablePointer<Float> {
    if let buffer = unsafe workspace[worker], buffer.floatCount >= floats {
      return unsafe buffer.address.assumingMemoryBound(to: Float.self)
    }
    do {
      let buffer = try Buffer(floats: max(floats, 1 << 16))
      unsafe workspace[worker] = buffer
      return unsafe buffer.address.assumingMemoryBound(to: Float.self)
    } catch { endProcess(for: error) }
  }
}
