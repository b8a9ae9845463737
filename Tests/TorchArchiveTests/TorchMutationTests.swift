import ByteIO
import Tensors
import TestSupport
import Testing

@testable import TorchArchive

@Suite("damaged PyTorch files")
struct TorchMutationTests {
  /// A file, and how it is called.
  static let originals: [(String, [UInt8])] =
    ["views.pt", "checkpoint.pt", "views-deflated.pt", "protocol5.pt", "views-legacy.pt"]
    .compactMap { name in
      guard let region = try? ByteRegion(path: Fixtures.path("torch/" + name)) else { return nil }
      return (try? region.contents(limit: 1 << 20)).map { (name, $0) }
    } + [("tar", TarBytes().bytes())]

  @Test("give an error or can be read to the end", arguments: originals.indices)
  func mutations(_ index: Int) throws {
    let (name, bytes) = Self.originals[index]
    var refused = 0
    for (seed, damaged) in Mutations(of: bytes, count: 1500) {
      do {
        let file = try TorchFile(ByteRegion(damaged))
        for i in file.tensors.indices where file.tensors[i].byteCount < 1 << 20 {
          _ = try file.data(i)
        }
        try file.check()
      } catch {
        refused += 1
        #expect(error is any DiagnosedError, "\(name), seed \(seed): \(error)")
      }
    }
    #expect(refused > 100)
  }

  @Test("cut off anywhere, are refused")
  func truncation() {
    for (name, bytes) in Self.originals where name != "tar" {
      for count in 0..<bytes.count {
        #expect(
          throws: TorchError.self, "\(name) cut to \(count)",
          performing: { try TorchFile(ByteRegion(Array(bytes.prefix(count)))) })
      }
    }
  }

  @Test("a pickle that is damaged, with its CRC-32 made right, is refused or read")
  func pickles() throws {
    let original = Pickle.state(
      ("w", Pickle.tensor()),
      (
        "p",
        Pickle.call(
          Pickle.global("torch._utils", "_rebuild_parameter"),
          Pickle.tensor(sizes: [3, 2], strides: [1, 3]))
      ))
    for (seed, damaged) in Mutations(of: original, count: 4000) {
      do {
        let file = try TorchFile(ByteRegion(TorchBytes.pickle(damaged)))
        for i in file.tensors.indices where file.tensors[i].byteCount < 1 << 20 {
          _ = try file.data(i)
        }
      } catch {
        #expect(error is TorchError, "seed \(seed): \(error)")
      }
    }
  }
}
