import ArgumentParser
import ByteIO
import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("ckpt pack and unpack")
struct PackTests {
  @Test("there and back", arguments: [[], ["--compress", "gzip"], ["--compress", "zstd"]])
  func roundTrip(compression: [String]) throws {
    let folder = TemporaryFolder()
    let (package, tar, back) = (folder.file("p"), folder.file("p.tar"), folder.file("q"))
    let made = try outcome(
      Retrofit.self,
      [Fixtures.path("golden/tiny-llama/source"), "--select", "0/1,4/9", "-o", package, "--json"])
    let packed = try outcome(Pack.self, [package, "-o", tar, "--json"] + compression)
    #expect(packed.code == 0)
    #expect(packed.json?["root"] == made.json?["root"])
    #expect(try outcome(Pack.self, [package, "-o", tar]).code == 6)
    let unpacked = try outcome(Unpack.self, [tar, "-o", back, "--json"])
    #expect(unpacked.code == 0)
    #expect(unpacked.json?["root"] == made.json?["root"])
    #expect(FileManager.default.contentsEqual(atPath: package, andPath: back))
  }

  @Test(
    "a name that promises a compression gets it", arguments: ["p.tar.zst", "p.TAR.GZ", "p.tgz"])
  func compressionByName(name: String) throws {
    let folder = TemporaryFolder()
    let (package, tar) = (folder.file("p"), folder.file(name))
    let source = Fixtures.path("golden/tiny-llama/source")
    #expect(try outcome(Retrofit.self, [source, "--select", "0/1,4/9", "-o", package]).code == 0)
    let packed = try outcome(Pack.self, [package, "-o", tar])
    #expect(packed.notes.hasSuffix("next: ckpt unpack \(tar) -o PACKAGE\n"))
    let start = try Data(contentsOf: URL(filePath: tar)).prefix(2)
    #expect(Array(start) == (name.hasSuffix("zst") ? [0x28, 0xB5] : [0x1F, 0x8B]))
    let other = name.hasSuffix("zst") ? "gzip" : "zstd"
    #expect(throws: (any Error).self) {
      try Pack.parse([package, "-o", tar, "--compress", other])
    }
  }

  @Test("a compressed file is decompressed as far as --max-size says")
  func maxSize() throws {
    let folder = TemporaryFolder()
    let (package, tar, back) = (folder.file("p"), folder.file("p.tar"), folder.file("q"))
    let source = Fixtures.path("golden/tiny-llama/source")
    #expect(try outcome(Retrofit.self, [source, "--select", "0/1,4/9", "-o", package]).code == 0)
    let packed = try outcome(Pack.self, [package, "-o", tar, "--compress", "zstd"])
    #expect(packed.code == 0)
    let small = try outcome(Unpack.self, [tar, "-o", back, "--max-size", "64KiB", "--json"])
    #expect(small.code == 7)
    #expect(
      small.json?["errors"]?.array?.first?["code"]?.string == "package.decompresses_too_far")
    #expect(!FileManager.default.fileExists(atPath: back))
    #expect(try outcome(Unpack.self, [tar, "-o", back, "--max-size", "16MiB"]).code == 0)
  }

  @Test("a file that is no package")
  func noPackage() throws {
    let folder = TemporaryFolder()
    try folder.write(Array("hello".utf8), to: "text")
    let done = try outcome(Unpack.self, [folder.file("text"), "-o", folder.file("q"), "--json"])
    #expect(done.code == 3)
    #expect(done.json?["errors"]?.array?.first?["code"]?.string == "tar.truncated")
    #expect(try outcome(Pack.self, [folder.path, "-o", folder.file("t"), "--json"]).code == 3)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["text"])
  }
}

@Suite("commands on a package's tar")
struct ArchiveTests {
  @Test("inspect, diff and retrofit read it in place")
  func inPlace() throws {
    let folder = TemporaryFolder()
    let (package, tar) = (folder.file("p"), folder.file("p.tar"))
    let source = Fixtures.path("golden/tiny-qwen2/source")
    #expect(try outcome(Retrofit.self, [source, "--select", "0/1,4/7", "-o", package]).code == 0)
    #expect(try outcome(Pack.self, [package, "-o", tar]).code == 0)
    #expect(try outcome(Diff.self, [package, tar]).code == 0)
    let (a, b) = (
      try outcome(Inspect.self, [package, "--json"]), try outcome(Inspect.self, [tar, "--json"])
    )
    #expect(a.code == 0 && b.code == 0)
    #expect(a.json?["architecture"] == b.json?["architecture"])
    #expect(a.json?["parameters"] == b.json?["parameters"])
    #expect(
      try outcome(Retrofit.self, [tar, "--dialect", "native", "-o", folder.file("n")]).code == 0)
    #expect(try outcome(Retrofit.self, [folder.file("n"), "-o", folder.file("r")]).code == 0)
    #expect(try outcome(Diff.self, [folder.file("r"), package]).code == 0)
  }
}
