import CBLAS
import Foundation
import Kernels
import Testing

@Suite("the library of matrix products")
struct LibraryTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let hasAVX2 =
    (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.contains(" avx2 ") ?? false

  /// Debian 12's OpenBLAS takes a processor that it has not heard of for one of 2004.
  @Test(
    "its kernels are not far older than the processor",
    .enabled(if: hasAVX2 && environment["OPENBLAS_CORETYPE"] == nil))
  func core() throws {
    _ = try Compute(1)
    #expect(unsafe String(cString: ck_blas_core()) != "Prescott")
  }
}
