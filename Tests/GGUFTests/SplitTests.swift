import ByteIO
import Tensors
import TestSupport
import Testing

@testable import GGUF

@Suite("Split GGUF files")
struct SplitTests {
  private static func name(_ number: Int) -> String { "split-0000\(number)-of-00003.gguf" }

  /// Opens part `number` with the siblings that `change` leaves.
  private func open(
    _ number: Int, as path: String? = nil, change: (String) throws -> ByteRegion?
  ) throws -> [GGUFFile] {
    let file = try GGUFFile(ByteRegion(fixture(Self.name(number)), path: path ?? Self.name(number)))
    return try GGUFSplit.files(of: file, sibling: change)
  }

  private func region(_ name: String) throws -> ByteRegion {
    ByteRegion(try fixture(name), path: name)
  }

  @Test("GG-16: any part finds all, in order", arguments: [1, 2, 3])
  func finds(_ number: Int) throws {
    let files = try open(number) { try region($0) }
    #expect(files.map(\.path) == [Self.name(1), Self.name(2), Self.name(3)])
    let whole = try GGUFFile(ByteRegion(fixture("llama.gguf")))
    #expect(files.flatMap(\.tensors).map(\.name) == whole.tensors.map(\.name))
  }

  @Test("a file that is not split stands for itself")
  func whole() throws {
    let file = try GGUFFile(ByteRegion(fixture("llama.gguf")))
    #expect(try GGUFSplit.files(of: file) { _ in nil }.count == 1)
  }

  @Test("gguf.split_alone: no other part is there")
  func alone() {
    #expect(throws: GGUFError(.splitAlone(number: 2, of: 3), path: Self.name(2))) {
      _ = try open(2) { _ in nil }
    }
  }

  @Test("gguf.split_missing: one part is missing")
  func missing() {
    #expect(throws: GGUFError(.splitMissing(Self.name(3)), path: Self.name(1))) {
      _ = try open(1) { $0 == Self.name(3) ? nil : try region($0) }
    }
  }

  @Test("gguf.split_mismatch: a part has another's number")
  func number() {
    #expect(
      throws: GGUFError(
        .splitMismatch(key: "split.no", expected: 2, found: 1), path: Self.name(2))
    ) {
      _ = try open(1) { try region($0 == Self.name(3) ? Self.name(2) : $0) }
    }
  }

  @Test("gguf.split_name: renamed without its number")
  func name() {
    #expect(throws: GGUFError(.splitName(count: 3), path: "model.gguf")) {
      _ = try open(1, as: "model.gguf") { try region($0) }
    }
  }

  @Test("gguf.split_key: number not below the count")
  func key() throws {
    let bytes = GGUFBytes.metadata(count: 2) {
      $0.entry("split.no", 2, UInt16(3))
      $0.entry("split.count", 2, UInt16(3))
    }
    let file = try GGUFFile(ByteRegion(bytes))
    #expect(throws: GGUFError(.splitKey("split.no"), path: "memory")) {
      _ = try GGUFSplit.fileNames(of: file)
    }
  }
}
