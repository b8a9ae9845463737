import ByteIO
import Charts
import Foundation
import JSON
import TestSupport
import Testing
import Training

@testable import Reports

@Suite("Report page")
struct ReportPageTests {
  let folder = TemporaryFolder()

  private func step(_ number: Int, loss: Double) -> StepRecord {
    StepRecord(
      step: number, tokens: number * 512, loss: loss, meanRecurrence: 4,
      recurrence: Double(1 + number % 7), backpropDepth: 4, learningRate: 1e-4, gradientNorm: 2,
      tokensPerSecond: 900, flops: Double(number) * 1e12, fullFLOPs: Double(number) * 2e12,
      seconds: Double(number), memory: 3 << 30)
  }

  /// A run's folder with these losses.
  private func run(
    _ name: String, losses: [Double], evaluations: [EvaluationRecord] = []
  ) throws -> String {
    let path = folder.file(name)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let steps = losses.enumerated().map { step($0 + 1, loss: $1).json.text() + "\n" }
    try steps.joined().write(toFile: path + "/metrics.jsonl", atomically: true, encoding: .utf8)
    let lines = evaluations.map { $0.json.text() + "\n" }
    try lines.joined().write(
      toFile: path + "/evaluations.jsonl", atomically: true, encoding: .utf8)
    return path
  }

  private func page(_ runs: String..., package: String? = nil) throws -> String {
    try ReportPage(
      runs: RunSummary.reading(runs), package: package.map { try PackageSummary($0) }
    ).html
  }

  /// Nothing on a page may be fetched, or run.
  private func expectSelfContained(_ html: String) {
    for word in [
      "<script", "src=", "href=", "url(", "@import", "http://", "https://", "<link", "<img",
    ] {
      #expect(!html.contains(word), "\(word)")
    }
    for word in ["NaN", "inf,", "nan,"] { #expect(!html.contains(word), "\(word)") }
    #expect(html.hasPrefix("<!DOCTYPE html>") && html.hasSuffix("</html>\n"))
  }

  @Test("a run with evaluations tells what became of the held-out loss")
  func evaluated() throws {
    let path = try run(
      "run", losses: (0..<60).map { 5 - Double($0) / 20 },
      evaluations: [
        .init(
          step: 0, tokens: 0,
          results: [.init(recurrence: 1, loss: 5), .init(recurrence: 4, loss: 6)]),
        .init(
          step: 60, tokens: 60 * 512,
          results: [.init(recurrence: 1, loss: 3), .init(recurrence: 4, loss: 2.5)]),
      ])
    let html = try page(path)
    expectSelfContained(html)
    #expect(html.contains("at r = 4 fell from 6.0000 before training to <b>2.5000</b>"))
    #expect(html.contains("held out, r = 1") && html.contains("before training"))
    for title in [
      "Loss by step", "Learning rate", "Gradient norm", "Recurrences drawn", "Speed",
      "Held-out loss by recurrence",
    ] { #expect(html.contains(">\(title)"), "\(title)") }
    #expect(html == (try page(path)))
  }

  @Test("source, samples, memory and the depths that are as good as any are told")
  func comparisons() throws {
    var before = EvaluationRecord(
      step: 0, tokens: 0, results: [.init(recurrence: 1, loss: 5), .init(recurrence: 4, loss: 6)])
    before.source = .init(name: "big", loss: 2.25, parameters: 12_345, texts: ["four"])
    before.samples = [.init(recurrence: 4, prompt: "1+1\n=", text: "3 <b>", heldOut: "2")]
    var after = EvaluationRecord(
      step: 60, tokens: 60 * 512,
      results: [
        .init(recurrence: 1, loss: 3, lossError: 0.25),
        .init(recurrence: 2, loss: 2.505, lossError: 0.25),
        .init(recurrence: 4, loss: 2.5, lossError: 0.25),
      ])
    after.heldOutTokens = 4096
    after.samples = [.init(recurrence: 4, prompt: "1+1\n=", text: "2", heldOut: "2")]
    #expect(EvaluationRecord(before.json) == before && EvaluationRecord(after.json) == after)
    let html = try page(
      run("run", losses: (0..<60).map { 5 - Double($0) / 20 }, evaluations: [before, after]))
    expectSelfContained(html)
    #expect(html.contains("(big, 12,345 parameters) has <b>2.2500</b> on the same rows"))
    #expect(html.contains("the trained one is 0.2500 worse, a perplexity of 12.2 against 9.5."))
    #expect(
      html.contains(
        "within 0.01 nats of its lowest at r = 2, r = 4, so there is little to gain beyond r = 2."))
    #expect(html.contains("<dt>the source</dt><dd><span class=\"verbatim\">four</span>"))
    #expect(html.contains("4,096 tokens, which were not trained on"))
    #expect(html.contains("<span class=\"verbatim\">3 &lt;b&gt;</span>"))
    #expect(html.contains("<dt>after step 60</dt><dd><span class=\"verbatim\">2</span>"))
    #expect(html.contains("± standard error") && html.contains(">before training, r = 4</text>"))
    #expect(html.contains(">Memory</text>"))
  }

  @Test("commands to go on are about what the run gave, not what it began with")
  func goesOn() throws {
    let path = try run("run", losses: [3, 2, 1])
    let package = Fixtures.path("package/tiny-llama3-rope.tar")
    let unfinished = try page(path, package: package)
    #expect(unfinished.contains("<span>verify</span> <span>\(package)</span>"))
    #expect(!unfinished.contains("<span>generate</span>"))
    try FileManager.default.createDirectory(
      atPath: path + "/package", withIntermediateDirectories: true)
    let html = try page(path, package: package)
    #expect(html.contains("<span>generate</span> <span>\(path)/package</span>"))
    #expect(html.contains("<span>verify</span> <span>\(package)</span>"))
  }

  @Test("missing evaluations, one step, and losses that are NaN are said")
  func sparse() throws {
    let one = try page(run("one", losses: [4]))
    expectSelfContained(one)
    #expect(one.contains("There was no evaluation") && one.contains("trained for 1 step on 512"))
    #expect(!one.contains("Held-out loss by recurrence"))
    let broken = try page(run("broken", losses: [4, .nan, 3, .infinity, 3]))
    expectSelfContained(broken)
    #expect(broken.contains("2 steps had no finite loss"))
    let all = try RunSummary(run("all", losses: [.nan, .nan]))
    #expect(all.finalLoss == nil && all.brokenSteps == 2)
    let none = try page(run("none", losses: []))
    expectSelfContained(none)
    #expect(none.contains("has not done a step yet"))
  }

  @Test("names from files are text, and runs of one name are told apart")
  func names() throws {
    let name = "<script>alert('x')&\""
    let html = try page(
      run(name, losses: [3, 2, 1]), run("b/" + name, losses: [3, 2, 1]))
    expectSelfContained(html)
    #expect(html.contains("&lt;script&gt;alert(&#39;x&#39;)&amp;&quot;"))
    #expect(html.contains("/b/&lt;script&gt;"))
    #expect(html.contains("Training loss by tokens") && html.contains("Training loss by FLOPs"))
    #expect(html.contains("(equals "))
  }

  @Test("a page stays small, however long the run")
  func huge() throws {
    let html = try page(run("long", losses: (0..<30_000).map { 3 + Double($0 % 5) }))
    expectSelfContained(html)
    #expect(html.utf8.count < 200_000)
  }

  @Test("a package shows its layers, its source and a verdict")
  func package() throws {
    let path = Fixtures.path("golden/tiny-llama/retrofit")
    let html = try page(package: path)
    expectSelfContained(html)
    #expect(html.contains("class=\"part prelude\"") && html.contains("class=\"part core\""))
    let summary = try PackageSummary(path)
    #expect(summary.integrity == (summary.manifest == nil ? .unknown : .passed))
    #expect(html.contains("<th scope=\"row\">adapter</th>"))
    #expect(html.contains("<span>ckpt</span> <span>verify</span> "))
  }

  @Test("paths in commands are one word of a shell")
  func quoting() {
    #expect(shellWord("a/b-1.x") == "a/b-1.x")
    #expect(shellWord("a b") == "'a b'")
    #expect(shellWord("it's; rm") == "'it'\\''s; rm'")
    #expect(shellWord("-x") == "'-x'")
  }
}
