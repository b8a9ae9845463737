import ByteIO
import Checkpoint
import JSON
import ModelGraph
import TestSupport
import Testing

@testable import RecurrentPackage

@Suite("version and commit of the program that writes a package")
struct ToolVersionTests {
  let folder = TemporaryFolder()
  let commit = "0123456789abcdef0123456789abcdef01234567-modified"

  /// The member `tool` of a package that such a program wrote.
  private func tool(_ version: ToolVersion, to name: String) throws -> JSONValue? {
    let sample = try Sample()
    let contents = try PackageContents(
      sample.plan, of: sample.checkpoint,
      sources: sample.checkpoint.inputs.map { try ByteRegion(path: $0) }, toolVersion: version)
    let writer = try PackageWriter(
      contents, source: sample.checkpoint, options: WriteOptions())
    _ = try writer.write(to: folder.file(name))
    return try Manifest(ByteRegion(path: folder.file(name) + "/manifest.json")).record["tool"]
  }

  @Test("a manifest has the commit where it is known, and reads without one")
  func manifest() throws {
    let plain = try tool(ToolVersion("1.2.3"), to: "plain")
    #expect(plain == ["name": "ckpt", "version": "1.2.3"])
    #expect(ToolVersion(record: plain) == ToolVersion("1.2.3"))
    let known = try tool(ToolVersion("1.2.3", commit: commit), to: "known")
    #expect(known?["commit"]?.string == commit)
    #expect(ToolVersion(record: known) == ToolVersion("1.2.3", commit: commit))
    #expect(ToolVersion(record: nil) == nil)
  }

  @Test("words for people name both")
  func words() {
    #expect(ToolVersion("1.2.3").text == "1.2.3")
    #expect(ToolVersion("1.2.3", commit: "abc").text == "1.2.3 (commit abc)")
    #expect(ToolVersion("1.2.3").comment == "# Written by ckpt 1.2.3\n")
  }
}
