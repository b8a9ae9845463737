import ByteIO
import Foundation
import TestSupport
import Testing

@Suite("files and regions")
struct FileTests {
  let folder = TemporaryFolder()

  @Test("io.missing, io.not_regular: what cannot be opened")
  func cannotOpen() throws {
    let missing = #expect(throws: FileError.self) { _ = try OpenFile(folder.file("x")) }
    #expect(missing?.code == "io.missing")
    #expect(missing?.file == folder.file("x"))
    #expect(throws: FileError(folder.path, .notRegular)) { _ = try OpenFile(folder.path) }
  }

  @Test("regions read their part of a file or of memory, and nothing outside")
  func regions() throws {
    let bytes = (0..<100).map { UInt8($0) }
    let path = try folder.write(bytes, to: "a")
    for whole in [try ByteRegion(path: path), ByteRegion(bytes, path: path)] {
      let part = try #require(whole.subregion(10..<30))
      let inner = try #require(part.subregion(5..<10, path: "inner"))
      #expect(inner.start == 15 && inner.byteCount == 5 && inner.path == "inner")
      #expect(try inner.bytes(0..<5) == Array(15..<20))
      #expect(part.subregion(0..<21) == nil)
      #expect(throws: FileError(path, .shortRead(wanted: 5, got: 2), at: 18)) {
        _ = try part.bytes(18..<23)
      }
      #expect(throws: FileError(path, .tooLarge(byteCount: 20, limit: 19))) {
        _ = try part.contents(limit: 19)
      }
    }
  }

  @Test("io.short_read, io.changed: a file that another program cuts")
  func truncated() throws {
    let path = try folder.write([UInt8](repeating: 1, count: 100), to: "a")
    let file = try OpenFile(path)
    try file.requireUnchanged()
    truncate(path, 50)
    #expect(throws: FileError(path, .shortRead(wanted: 20, got: 10), at: 40)) {
      _ = try ByteRegion(file).bytes(40..<60)
    }
    #expect(throws: FileError(path, .changedWhileReading)) { try file.requireUnchanged() }
  }

  @Test("an output file counts and hashes what it writes, copies included")
  func output() throws {
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let source = try ByteRegion(path: folder.write(bytes, to: "in"))
    var file = try OutputFile(creating: folder.file("out"))
    try file.write([1, 2, 3])
    try file.copy(source)
    let written = try file.finish()
    #expect(written.byteCount == 3_000_003)
    #expect(written.digest == SHA256.digest(of: [1, 2, 3] + bytes))
    #expect(try ByteRegion(path: folder.file("out")).bytes(0..<3_000_003) == [1, 2, 3] + bytes)
    #expect(throws: FileError.self) { _ = try OutputFile(creating: folder.file("out")) }
  }

  @Test("folder entries are in byte order; a tree is removed without following links")
  func trees() throws {
    try folder.write([], to: "tree/é")
    try folder.write([], to: "tree/Z/deep/er")
    try folder.write([], to: "tree/a")
    try folder.write([], to: "kept/file")
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("tree/link"), withDestinationPath: folder.file("kept"))
    #expect(try folderEntries(folder.file("tree")) == ["Z", "a", "link", "é"])
    #expect(
      try resolvedPath(folder.file("tree/link/file")) == resolvedPath(folder.file("kept/file")))
    #expect(try resolvedPath(folder.file("nothing")) == nil)
    try removeTree(folder.file("tree"))
    #expect(try pathKind(folder.file("tree")) == nil)
    #expect(try pathKind(folder.file("kept/file")) == .file)
  }

  static let signatures: [(FileSignature, [UInt8])] = [
    (.safetensors, [16, 0, 0, 0, 0, 0, 0, 0, 0x7B]),
    // A header of 640 bytes begins like a pickle of protocol 2.
    (.safetensors, [0x80, 2, 0, 0, 0, 0, 0, 0, 0x7B]),
    (.pickle, [0x80, 2, 0x8A, 10]), (.gguf, Array("GGUF".utf8)),
    (.oldGGML("ggjt"), Array("tjgg".utf8) + [1, 0, 0, 0]), (.zip, [0x50, 0x4B, 3, 4]),
    (.tar, [UInt8](repeating: 0x61, count: 257) + Array("ustar\0".utf8)),
    (.gzip, [0x1F, 0x8B, 8]), (.numpy, [0x93] + Array("NUMPY".utf8)),
    (.hdf5, [0x89] + Array("HDF\r\n\u{1A}\n".utf8)),
    (.gitLFSPointer, Array("version https://git-lfs.github.com/spec/v1\n".utf8)),
    (.html, Array("  \n<!doctype HTML>".utf8)),
  ]

  @Test("signatures are told from the first bytes", arguments: signatures)
  func signature(_ expected: FileSignature, _ bytes: [UInt8]) throws {
    #expect(try FileSignature(of: ByteRegion(bytes)) == expected)
    #expect(FileSignature([]) == nil)
    #expect(FileSignature(Array("plain text".utf8)) == nil)
  }

  @Test("only what is not there is absent: what cannot be looked at is an error")
  func absence() throws {
    let file = try folder.write([1], to: "file")
    #expect(try pathKind(folder.file("nothing")) == nil)
    #expect(try linkKind(folder.file("nothing")) == nil)
    #expect(try resolvedPath(folder.file("nothing")) == nil)
    for look in [{ _ = try pathKind($0) }, { _ = try linkKind($0) }, { _ = try resolvedPath($0) }]
      as [(String) throws -> Void]
    {
      let error = #expect(throws: FileError.self) { try look(file + "/below") }
      #expect(error?.code == "io.failed")
      #expect(error?.kind == .inputOutput)
    }
  }

  @Test("what is discarded is gone with all it holds; nothing may be there")
  func discarding() throws {
    try folder.write([1], to: "tree/a/b")
    try discard(folder.file("tree"))
    try discard(folder.file("tree"))
    #expect(try folderEntries(folder.path).isEmpty)
  }

  @Test("a lock has one holder at a time")
  func lock() throws {
    let path = folder.file("lock")
    do {
      let first = try FileLock(path)
      #expect(throws: FileError(path, .inUse)) { _ = try FileLock(path) }
      withExtendedLifetime(first) {}
    }
    #expect(throws: Never.self) { _ = try FileLock(path) }
  }

  @Test("what a terminal would obey is spelled out; our own codes are not")
  func printedText() {
    #expect(PrintedText.shown("plain\ttext\n") == "plain\ttext\n")
    #expect(
      PrintedText.shown("\u{1B}]0;x\u{7}\r\u{9B}\u{7F}")
        == "\\u001B]0;x\\u0007\\u000D\\u009B\\u007F")
    #expect(PrintedText.shown("\u{202E}a\u{2066}b\u{200F}") == "\\u202Ea\\u2066b\\u200F")
    #expect(PrintedText.onOneLine("a\nb") == "a\\u000Ab")
    let colored = PrintedText.color(31) + "x" + PrintedText.plain
    #expect(PrintedText.shown(colored) == "\u{1B}[31mx\u{1B}[0m")
  }
}
