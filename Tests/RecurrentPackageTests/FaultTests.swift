import Archives
import ByteIO
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import RecurrentPackage

@Suite("faults while a package is written")
struct FaultTests {
  let folder = TemporaryFolder()

  /// What is in the folder beside the source.
  private func leftovers() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 != "source" }
  }

  @Test(
    "a source truncated or changed meanwhile ends the run, and nothing appears",
    arguments: [true, false])
  func sourceChanges(truncated: Bool) throws {
    let path = try sparseSource(in: folder, hidden: 256, layers: 8)
    let weights = path + "/model.safetensors"
    let once = Mutex(false)
    let spoil: @Sendable (Int, Int) -> Void = { done, _ in
      guard done > 1 << 20,
        once.withLock({
          let old = $0
          $0 = true
          return !old
        })
      else { return }
      guard let handle = FileHandle(forUpdatingAtPath: weights) else { return }
      if truncated {
        try? handle.truncate(atOffset: 4096)
      } else {
        try? handle.seek(toOffset: 4096)
        try? handle.write(contentsOf: Data([1]))
      }
      try? handle.close()
    }
    #expect(throws: FileError.self) {
      try Sample(path: path).write(to: folder.file("p"), progress: spoil)
    }
    #expect(try leftovers().isEmpty)
  }

  @Test(
    "a package cut while it is packed, and a tar cut while it is unpacked, leave nothing",
    arguments: [nil, Compression.zstd])
  func archiveChanges(compression: Compression?) throws {
    let path = try sparseSource(in: folder, hidden: 512, layers: 8)
    try Sample(path: path).write(to: folder.file("p"))
    let package = try RecurrentPackage.open(folder.file("p"))
    let tar = folder.file("p.tar")
    _ = try package.pack(to: tar, compression: nil, force: false)
    func cut(_ file: String) -> @Sendable (Int, Int) -> Void {
      { done, total in
        // After the digests were checked, while the bytes are copied.
        guard done > total / 2 else { return }
        try? FileHandle(forUpdatingAtPath: file)?.truncate(atOffset: 4096)
      }
    }
    #expect(throws: FileError.self) {
      try RecurrentPackage.unpack(tar, to: folder.file("q"), force: false, progress: cut(tar))
    }
    #expect(throws: FileError.self) {
      try package.pack(
        to: folder.file("r.tar"), compression: compression, force: false,
        progress: cut(folder.file("p/model.safetensors")))
    }
    #expect(Set(try leftovers()) == ["p", "p.tar"])
  }

  @Test("an error leaves the package that was there")
  func oldStays() throws {
    let path = try sparseSource(in: folder, hidden: 64, layers: 8)
    try Sample(path: path).write(to: folder.file("p"))
    let before = try files(folder.file("p"))
    var options = WriteOptions()
    options.force = true
    #expect(throws: FileError.self) {
      try Sample(path: path).write(to: folder.file("p"), options) { _, _ in
        try? FileHandle(forUpdatingAtPath: path + "/model.safetensors")?.truncate(atOffset: 4096)
      }
    }
    #expect(try files(folder.file("p")) == before)
    #expect(try leftovers() == ["p"])
  }

  @Test("more than the disk has free is refused before a byte is written")
  func noSpace() throws {
    // Terabytes of holes.
    let path = try sparseSource(in: folder, hidden: 1 << 17, layers: 8)
    let error = #expect(throws: FileError.self) {
      try Sample(path: path).write(to: folder.file("p"))
    }
    guard case .noSpace(let needed, _) = error?.problem else {
      Issue.record("not refused for space")
      return
    }
    #expect(needed > 1 << 40)
    #expect(try leftovers().isEmpty)
  }

  @Test("the limit on a file's size, met while writing, is an error and leaves nothing")
  func fileLimit() throws {
    let path = try sparseSource(in: folder, hidden: 256, layers: 8)
    // The shell's limit is in KiB; the ignored signal makes the write fail instead.
    let done = try Executable.shell(
      "trap '' XFSZ; ulimit -f 4096; exec \"$0\" retrofit \"$1\" --select 0/1-4/7 -o \"$2\"",
      path, folder.file("p"))
    #expect(done == 5)
    #expect(try leftovers().isEmpty)
  }

  @Test("killed at any moment, the package is whole or not there")
  func killed() throws {
    let path = try sparseSource(in: folder, hidden: 512, layers: 12)
    for delay in stride(from: 0.02, to: 0.62, by: 0.06) {
      _ = try Executable.shell(
        "\"$0\" retrofit \"$1\" --select 0/1-10/11 -o \"$2\" --force & sleep \(delay); kill -9 $!; wait",
        path, folder.file("p"))
      guard FileManager.default.fileExists(atPath: folder.file("p")) else { continue }
      #expect(try RecurrentPackage.open(folder.file("p")).integrityProblems().isEmpty)
    }
    // What a killed run left does not stand in the way of the next.
    #expect(
      try Executable.shell(
        "exec \"$0\" retrofit \"$1\" --select 0/1/2 -o \"$2\" --force", path, folder.file("p")) == 0
    )
    #expect(try RecurrentPackage.open(folder.file("p")).integrityProblems().isEmpty)
  }

  @Test("interrupted, the program says so and cleans up")
  func interrupted() throws {
    let path = try sparseSource(in: folder, hidden: 1024, layers: 24)
    let code = try Executable.shell(
      "\"$0\" retrofit \"$1\" --select 0/1-22/23 -o \"$2\" & "
        + "until compgen -G \"$3/.p.ckpt-*.partial\" || ! kill -0 $!; do :; done; "
        + "kill -INT $!; wait $!", path, folder.file("p"), folder.path)
    #expect(code == 130)
    #expect(try leftovers().isEmpty)
  }
}
