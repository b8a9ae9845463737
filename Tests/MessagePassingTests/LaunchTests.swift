import ByteIO
import Testing

@testable import MessagePassing

@Suite("How processes are started")
struct LaunchTests {
  private static let openMPI = ["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"]
  private static let mpich = ["PMI_SIZE": "2", "PMI_RANK": "1"]

  @Test("the environment tells launcher, rank and count")
  func launches() {
    #expect(Launch { Self.openMPI[$0] } == Launch(isOpenMPI: true, rank: 3, count: 4))
    #expect(Launch { Self.mpich[$0] } == Launch(isOpenMPI: false, rank: 1, count: 2))
    #expect(Launch { _ in nil } == nil)
    #expect(Launch { $0 == "OMPI_COMM_WORLD_SIZE" ? "many" : nil } == nil)
  }

  @Test("one process needs nobody")
  func alone() throws {
    #expect(try MessagePassing.join({ _ in nil }) == nil)
    #expect(try MessagePassing.join({ $0 == "OMPI_COMM_WORLD_SIZE" ? "1" : nil }) == nil)
  }

  @Test("several processes that cannot reach each other refuse to work")
  func refused() {
    let launch = Launch(isOpenMPI: true, rank: 3, count: 4)
    #if MPI
    // No mpirun has started the tests, whatever the environment says.
    let error = MessagePassingError(.otherCount(found: 1, launch))
    #else
    let error = MessagePassingError(.notBuilt(launch))
    #endif
    #expect(throws: error) { try MessagePassing.join { Self.openMPI[$0] } }
    #expect(error.kind == .unsupported)
    #expect(error.description.contains("rank 3: mpirun started 4 processes"))
    #expect(
      throws: MessagePassingError(.foreignLauncher(Launch(isOpenMPI: false, rank: 1, count: 2)))
    ) { try MessagePassing.join { Self.mpich[$0] } }
  }
}
