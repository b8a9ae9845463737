import ByteIO
import TestSupport
import Testing
import Training

@Suite("the lock of a run's folder")
struct RunLockTests {
  let folder = TemporaryFolder()
  private var run: RunFolder { RunFolder(folder.file("run")) }

  @Test("a run that is under way is neither resumed nor replaced")
  func inUse() throws {
    let lock = try run.create(force: false)
    try run.write("steps: 1\n", to: run.recipe)
    let error = #expect(throws: FileError.self) { _ = try run.hold() }
    #expect(error?.code == "io.in_use")
    #expect(error?.kind == .outputExists)
    #expect(throws: FileError.self) { try run.create(force: true) }
    #expect(try folderEntries(run.path) == ["checkpoints", "lock", "recipe.yaml"])
    withExtendedLifetime(lock) {}
  }

  @Test("the lock goes with its holder")
  func released() throws {
    try run.create(force: false)
    #expect(throws: Never.self) { _ = try run.hold() }
  }

  @Test("a start that was cut off before its recipe is begun again")
  func unborn() throws {
    #expect(try !run.isUnborn())
    try run.create(force: false)
    try folder.write([1], to: "run/.recipe.yaml.ckpt-0123456789abcdef.partial/lock")
    #expect(try run.isUnborn())
    try run.create(force: false)
    try run.write("steps: 1\n", to: run.recipe)
    #expect(try !run.isUnborn())
    #expect(try folderEntries(run.path) == ["checkpoints", "lock", "recipe.yaml"])
  }

  @Test("a folder of anything else stays as it is")
  func foreign() throws {
    try folder.write([1], to: "run/thesis.tex")
    #expect(throws: FileError(run.path, .exists)) { try run.create(force: true) }
    #expect(try folderEntries(run.path) == ["thesis.tex"])
  }
}
