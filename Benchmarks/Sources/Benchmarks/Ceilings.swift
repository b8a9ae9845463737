import COpenBLAS
import Foundation

/// What the machine can do, measured in the run that uses it.
enum Ceiling {
  /// Bytes a second that all processors read together from memory too large for a cache: the best
  /// of some passes, since the first wakes the threads.
  static func readBandwidth() throws -> Double {
    let byteCount = 1 << 29
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, 1 << 21, byteCount) == 0, let memory else {
      throw BenchmarkFailure("no memory for \(byteCount) bytes")
    }
    defer { free(memory) }
    // As the weights of a model lie: in huge pages.
    madvise(memory, byteCount, Int32(MADV_HUGEPAGE))
    memset(memory, 1, byteCount)
    let threads = ProcessInfo.processInfo.activeProcessorCount
    let part = byteCount / threads & ~255
    nonisolated(unsafe) let base = memory
    let passes = (0..<4).map { _ in
      let start = ContinuousClock.now
      DispatchQueue.concurrentPerform(iterations: threads) { thread in
        let sum = sum(base + thread * part, part)
        // Nobody may think the sum unused.
        precondition(sum != 1)
      }
      return (ContinuousClock.now - start) / .seconds(1)
    }
    return Double(part * threads) / (passes.min() ?? .infinity)
  }

  /// Sum of the bytes taken as integers, four vectors at a time.
  private static func sum(_ start: UnsafeRawPointer, _ byteCount: Int) -> UInt64 {
    var (a, b, c, d) = (
      SIMD8<UInt64>.zero, SIMD8<UInt64>.zero, SIMD8<UInt64>.zero, SIMD8<UInt64>.zero
    )
    for offset in stride(from: 0, to: byteCount, by: 256) {
      a &+= start.load(fromByteOffset: offset, as: SIMD8<UInt64>.self)
      b &+= start.load(fromByteOffset: offset + 64, as: SIMD8<UInt64>.self)
      c &+= start.load(fromByteOffset: offset + 128, as: SIMD8<UInt64>.self)
      d &+= start.load(fromByteOffset: offset + 192, as: SIMD8<UInt64>.self)
    }
    return (a &+ b &+ c &+ d).wrappedSum()
  }

  /// Floating-point operations a second of OpenBLAS's float32 products `[rows, k] · [n, k]ᵀ`, all
  /// shapes one after another.
  static func sgemm(rows: Int, _ shapes: [(n: Int, k: Int)], repeats: Int) -> Double {
    var seconds = 0.0
    var operations = 0.0
    for shape in shapes {
      let x = [Float](repeating: 0.5, count: rows * shape.k)
      let w = [Float](repeating: 0.25, count: shape.n * shape.k)
      var y = [Float](repeating: 0, count: rows * shape.n)
      for run in 0...repeats {
        let start = ContinuousClock.now
        cblas_sgemm(
          CblasRowMajor, CblasNoTrans, CblasTrans, blasint(rows), blasint(shape.n),
          blasint(shape.k), 1, x, blasint(shape.k), w, blasint(shape.k), 0, &y, blasint(shape.n))
        if run > 0 { seconds += (ContinuousClock.now - start) / .seconds(1) }
      }
      operations += 2 * Double(rows * shape.n * shape.k * repeats)
    }
    return operations / seconds
  }
}

extension SIMD8<UInt64> {
  fileprivate func wrappedSum() -> UInt64 { indices.reduce(0) { $0 &+ self[$1] } }
}
