import Foundation
import JSON
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("a run's folder in a model's place")
struct RunFolderTests {
  /// A folder as a run leaves it, with or without a package.
  private func run(hasPackage: Bool) throws -> (path: String, folder: TemporaryFolder) {
    let folder = TemporaryFolder()
    let path = folder.file("run")
    try FileManager.default.createDirectory(
      atPath: path + (hasPackage ? "/package" : ""), withIntermediateDirectories: true)
    try Data().write(to: URL(filePath: path + "/metrics.jsonl"))
    return (path, folder)
  }

  private func check(_ outcome: Outcome, hint: String) throws {
    #expect(outcome.code == 5)
    let error = try #require(outcome.json?["errors"]?.array?.first)
    #expect(error["code"]?.string == "model.is_run")
    #expect(error["hint"]?.string?.contains(hint) == true)
  }

  @Test("every command that reads a model points to the package inside")
  func pointsToPackage() throws {
    let (path, folder) = try run(hasPackage: true)
    let hint = path + "/package"
    try check(outcome(Eval.self, [path, "--data", "x", "--json"]), hint: hint)
    try check(outcome(Generate.self, [path, "--prompt", "x", "--json"]), hint: hint)
    try check(outcome(Verify.self, [path, "--json"]), hint: hint)
    try check(outcome(Inspect.self, [path + "/", "--json"]), hint: hint)
    try check(outcome(Layers.self, [path, "--data", "x", "--json"]), hint: hint)
    withExtendedLifetime(folder) {}
  }

  @Test("a run that has written no package yet says so")
  func noPackage() throws {
    let (path, folder) = try run(hasPackage: false)
    try check(outcome(Eval.self, [path, "--data", "x", "--json"]), hint: "--resume")
    withExtendedLifetime(folder) {}
  }
}
