#if MPI
import ByteIO
import CMPI
import Platform
import Tensors
import Training

/// The processes that Open MPI's mpirun started.
///
/// A sum's order is Open MPI's: it follows from the number of processes and the size of the sum,
/// so the same start gives the same bits.
@safe
final class MPIGroup: ProcessGroup, @unchecked Sendable {
  let rank: Int
  let worldSize: Int
  private(set) var threads = 1
  private let thread: MPIThread
  private var machines: [String] = []

  /// Bytes of a machine's name that are kept.
  private static let nameLength = 64

  init(_ launch: Launch) throws {
    let thread = try MPIThread()
    var (number, count): (Int32, Int32) = (0, 0)
    let code = thread.call { unsafe ck_mpi_initialise(&number, &count) }
    self.thread = thread
    rank = Int(number)
    worldSize = Int(count)
    try check(code, "MPI_Init_thread")
    guard worldSize == launch.count else {
      throw MessagePassingError(.otherCount(found: worldSize, launch))
    }
    let machine = unsafe text(Self.nameLength) { _ = unsafe ck_mpi_machine($0, $1) }
    machines = try gather(machine.map { Double($0) }).map { name in
      String(decoding: name.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self)
    }
    let neighbours = machines.count { $0 == machines[rank] }
    let processors = onlineProcessorCount()
    let share = max(1, min(availableProcessorCount(), processors / neighbours))
    threads = Int(try gather([Double(share)]).map { $0[0] }.min() ?? 1)
  }

  /// Text that an MPI function writes, followed by zeros.
  private func text(
    _ length: Int, _ write: @escaping (UnsafeMutablePointer<CChar>, Int32) -> Void
  ) -> [UInt8] {
    var text = [CChar](repeating: 0, count: length)
    unsafe text.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      _ = thread.call {
        unsafe write(start, Int32(length))
        return 0
      }
    }
    return text.map { UInt8(bitPattern: $0) }
  }

  func name(of rank: Int) -> String {
    machines.indices.contains(rank) ? "rank \(rank) on \(machines[rank])" : "rank \(rank)"
  }

  func begin(_ values: Buffer, _ range: Range<Int>) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= values.floatCount
        && range.count <= Int32.max, "floats of the buffer, as many as MPI counts")
    thread.begin { request in
      // SAFETY: the closure keeps the buffer until the sum has begun, its owner until `finish`.
      let first = unsafe values.address.assumingMemoryBound(to: Float.self) + range.lowerBound
      return unsafe ck_mpi_begin_floats(first, Int32(range.count), &request)
    }
  }

  var activeSeconds: Double { thread.activeSeconds }

  func finish() throws { try check(thread.wait(), "MPI_Iallreduce") }

  func sum(_ values: [Double]) throws -> [Double] {
    if values.isEmpty { return [] }
    let shared = UnsafeMutableBufferPointer<Double>.allocate(capacity: values.count)
    defer { unsafe shared.deallocate() }
    _ = unsafe shared.initialize(from: values)
    thread.begin { request in
      guard let first = shared.baseAddress else { return 0 }
      return unsafe ck_mpi_begin_doubles(first, Int32(shared.count), &request)
    }
    try check(thread.wait(), "MPI_Iallreduce")
    return unsafe Array(shared)
  }

  func leave() throws {
    try check(thread.call { ck_mpi_finalise() }, "MPI_Finalize")
    thread.end()
  }

  func abort(_ status: Int32) -> Never {
    _ = thread.call {
      ck_mpi_abort(status)
      return 0
    }
    endProcess(status)
  }

  private func check(_ code: Int32, _ function: String) throws(MessagePassingError) {
    if code == 0 { return }
    let message = unsafe text(256) { unsafe ck_mpi_message(code, $0, $1) }
    let reason = String(decoding: message.prefix { $0 != 0 }, as: UTF8.self)
    throw MessagePassingError(
      .failed(function: function, reason: reason, rank: name(of: rank)))
  }
}
#endif
