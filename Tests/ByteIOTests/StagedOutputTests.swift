import ByteIO
import Foundation
import Glibc
import TestSupport
import Testing

@Suite("staged output")
struct StagedOutputTests {
  let folder = TemporaryFolder()

  func stage(
    _ name: String, isFolder: Bool = false, force: Bool = false, inputs: [String] = [],
    needed: Int = 0
  ) throws(FileError) -> StagedOutput {
    try StagedOutput(
      at: folder.file(name), isFolder: isFolder, force: force, inputs: inputs, needed: needed)
  }

  func text(_ name: String) throws -> String {
    try String(contentsOfFile: folder.file(name), encoding: .utf8)
  }

  func write(_ text: String, to path: String) throws {
    var file = try OutputFile(creating: path)
    try file.write(Array(text.utf8))
    _ = try file.finish()
  }

  @Test("a file appears when it is published, and nothing else stays")
  func file() throws {
    let output = try stage("out")
    try write("new", to: output.temporary)
    #expect(try folderEntries(folder.path).count == 1)
    #expect(try pathKind(folder.file("out")) == nil)
    try output.publish()
    #expect(try folderEntries(folder.path) == ["out"])
    #expect(try text("out") == "new")
  }

  @Test("a folder appears with all its files", arguments: ["out", "out/"])
  func wholeFolder(_ name: String) throws {
    let output = try stage(name, isFolder: true)
    try write("a", to: output.path("a"))
    try write("b", to: output.path("b"))
    try output.publish()
    #expect(try folderEntries(folder.path) == ["out"])
    #expect(try folderEntries(folder.file("out")) == ["a", "b"])
  }

  @Test("an abandoned output leaves nothing, and the old state stays", arguments: [false, true])
  func abandoned(_ isFolder: Bool) throws {
    try folder.write(Array("old".utf8), to: "out")
    do {
      let output = try stage("out", isFolder: isFolder, force: true)
      try write("new", to: isFolder ? output.path("x") : output.temporary)
    }
    #expect(try folderEntries(folder.path) == ["out"])
    #expect(try text("out") == "old")
  }

  @Test("what a killed run left is removed, what a live one writes is not")
  func stale() throws {
    // A process that has died holds no lock, whatever its number is now.
    try folder.write([1], to: ".out.ckpt-0123456789abcdef.partial/lock")
    try folder.write([1], to: ".out.ckpt-0123456789abcdef.partial/out/file")
    let alive = try stage("out")
    let kept = [
      ".out.ckpt-0123456789abcdeg.partial/lock", ".out.ckpt-0123456789abcdef.other/lock",
      ".out.ckpt-1.partial/lock", ".other.ckpt-0123456789abcdef.partial/lock",
      // A user's file, whatever it is called, is none of ours.
      ".out.ckpt-00000000000000aa.partial", ".out.ckpt-00000000000000ab.partial/other",
    ]
    for name in kept { try folder.write([1], to: name) }
    let names = Set(kept.map { String($0.split(separator: "/")[0]) })
    let output = try stage("out")
    #expect(Set(try folderEntries(folder.path)).subtracting(names).count == 2)
    try write("new", to: output.temporary)
    try output.publish()
    try write("late", to: alive.temporary)
    #expect(throws: FileError(folder.file("out"), .exists)) { try alive.publish() }
    #expect(try text("out") == "new")
  }

  @Test("of two writers without force, one publishes and the other is refused")
  func twoWriters() throws {
    let (first, second) = (try stage("out"), try stage("out"))
    try write("first", to: first.temporary)
    try write("second", to: second.temporary)
    try second.publish()
    let error = #expect(throws: FileError.self) { try first.publish() }
    #expect(error == FileError(folder.file("out"), .exists))
    #expect(error?.kind == .outputExists)
    #expect(try text("out") == "second")
  }

  @Test("of two writers with force, the last one stays, whole")
  func twoForcedWriters() throws {
    do {
      let (first, second) = (
        try stage("out", isFolder: true, force: true), try stage("out", isFolder: true, force: true)
      )
      try write("a", to: first.path("a"))
      try write("b", to: second.path("b"))
      try second.publish()
      try first.publish()
    }
    #expect(try folderEntries(folder.file("out")) == ["a"])
    #expect(try folderEntries(folder.path) == ["out"])
  }

  @Test("a link that leads nowhere is an output that exists")
  func danglingLink() throws {
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("link"), withDestinationPath: folder.file("nowhere"))
    #expect(throws: FileError(folder.file("link"), .exists)) { _ = try stage("link") }
    let output = try stage("link", force: true)
    try write("new", to: output.temporary)
    try output.publish()
    #expect(try text("link") == "new")
  }

  @Test("a pipe or a device is never replaced")
  func pipe() throws {
    #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
    #expect(throws: FileError(folder.file("pipe"), .notRegular)) { try stage("pipe", force: true) }
    #expect(try pathKind(folder.file("pipe")) == .other)
  }

  @Test("io.exists: an output that is there is refused")
  func exists() throws {
    try folder.write([1], to: "out")
    #expect(throws: FileError(folder.file("out"), .exists)) { _ = try stage("out") }
    try folder.write([1], to: "tree/file")
    #expect(throws: FileError(folder.file("tree/"), .exists)) {
      _ = try stage("tree/", isFolder: true)
    }
  }

  @Test("force replaces a file and a folder, whole")
  func force() throws {
    try folder.write(Array("old".utf8), to: "out")
    let file = try stage("out", force: true)
    try write("new", to: file.temporary)
    try file.publish()
    #expect(try text("out") == "new")

    try folder.write([1], to: "tree/old")
    let tree = try stage("tree", isFolder: true, force: true)
    try write("new", to: tree.path("new"))
    try tree.publish()
    #expect(try folderEntries(folder.file("tree")) == ["new"])
    #expect(try folderEntries(folder.path) == ["out", "tree"])
  }

  @Test("io.overwrites_input: even with force, whatever the path is called")
  func overwritesInput() throws {
    let input = try folder.write([1], to: "in")
    #expect(throws: FileError(folder.file("in"), .overwritesInput)) {
      _ = try stage("in", force: true, inputs: [input])
    }
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("link"), withDestinationPath: input)
    #expect(throws: FileError(folder.file("link"), .overwritesInput)) {
      _ = try stage("link", force: true, inputs: [input])
    }
    #expect(throws: FileError(folder.file("./in"), .overwritesInput)) {
      _ = try stage("./in", force: true, inputs: [folder.file("other"), input])
    }
  }

  @Test("io.no_space: more bytes than the disk has free")
  func noSpace() throws {
    let error = #expect(throws: FileError.self) { _ = try stage("out", needed: 1 << 60) }
    #expect(error?.code == "io.no_space")
    #expect(error?.kind == .inputOutput)
    #expect(try folderEntries(folder.path).isEmpty)
  }

  @Test("io.missing: the folder of the output must be there")
  func missingFolder() {
    let error = #expect(throws: FileError.self) { _ = try stage("none/out") }
    #expect(error?.code == "io.missing")
  }

  @Test("interrupted: nothing is published")
  func interrupted() async throws {
    await #expect(processExitsWith: .exitCode(42)) {
      Interruption.install()
      let folder = TemporaryFolder()
      let output = try StagedOutput(
        at: folder.file("out"), isFolder: true, force: false, inputs: [], needed: 0)
      kill(getpid(), SIGINT)
      while !Interruption.isRequested { usleep(1000) }
      let error = #expect(throws: FileError.self) { try output.publish() }
      let isThere = try pathKind(folder.file("out")) != nil
      exit(error?.kind == .interrupted && !isThere ? 42 : 1)
    }
  }
}
