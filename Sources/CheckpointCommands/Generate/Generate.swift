import ArgumentParser
import ByteIO
import ChatTemplates
import Generation
import JSON
import Kernels
import ModelGraph
import Models
import Platform
import Reports
import Scoring
import Tokenizers
import Training
import Transformer

/// `ckpt generate`: let the model go on with a text.
struct Generate: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Continue prompts; only the continuations go to standard output.",
    discussion: """
      BOS is put before the prompt when the tokenizer's configuration says so. Every pass through the \
      core keeps keys and values of its own, so the cache has p + c * r + d entries per token.

      A file of --prompts has one per line, or records with the field prompt and perhaps seed; the field \
      messages instead holds a conversation for the assistant to continue. They run together, --batch at \
      a time, and each gets the tokens that it would get alone with its seed: its own, or --seed plus \
      its number from 0. Continuations come in the order of the prompts, one per line, with line breaks \
      and backslashes written as \\n and \\\\; with --json, one document per line.

      Example:
        ckpt generate smollm2-r --prompt "The capital of France is" --recurrence 8
        ckpt generate smollm2-r --prompt "Hi" --chat --temperature 0.7 --seed 3
        ckpt generate smollm2-r --prompt "2+2=" --recurrence 32 --exit kl:5e-4
        ckpt generate smollm2-r --prompt "2+2=" --recurrence 32 --draft-recurrence 2
        ckpt generate smollm2-r --prompts questions.jsonl --json > answers.jsonl
        echo -n "2+2=" | ckpt generate smollm2-r --prompt -
      """)

  @Argument(help: "Source model or package.", completion: .file()) var model: String

  @OptionGroup(title: mainOptions) var main: MainOptions

  @Option(
    help: "File of prompts: one a line, or records with the field prompt or messages.",
    completion: .file())
  var prompts: String?

  @Option(help: "Prompts of the file that run together.") var batch = 16

  @Option(
    help: ArgumentHelp(
      "Date that the chat template writes; today's by default.", valueName: "yyyy-mm-dd"))
  var date: TemplateDate?

  @Option(help: "Draw only from the K most likely tokens.") var topK: Int?

  @Option(help: "Draw only from the most likely tokens that together have this probability.")
  var topP = 1.0

  @Option(help: "Seed for the draws and the start state.") var seed: UInt64 = 0

  @Option(help: "Stop before this text; repeatable.") var stop: [String] = []

  @Option(
    help: "Let each token stop recurring early: kl:LIMIT or latent:LIMIT.",
    completion: .list(["kl:", "latent:"]))
  var exit: ExitChoice?

  @Option(
    help: ArgumentHelp(
      """
      Guess tokens (8 at a time) with few recurrences, and check them together with all: the same \
      tokens, sooner if the guesses are good.
      """, valueName: "recurrences[:tokens]"))
  var draftRecurrence: DraftChoice?

  @Option(
    help: ArgumentHelp(
      """
      Keep keys and values of only this many recurrences; each overwrites those of the one that many \
      passes earlier. A smaller cache, but different numbers.
      """, valueName: "recurrences"))
  var cacheWindow: Int?

  @OptionGroup var threading: ThreadOptions
  @OptionGroup var computing: PrecisionOptions
  @OptionGroup var holding: WeightOptions
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  /// The five options that matter first.
  struct MainOptions: ParsableArguments {
    @Option(help: "Text to continue; - reads it from standard input.") var prompt: String?

    @Option(help: "Recurrences; the model's own number by default.") var recurrence: Int?

    @Option(help: "At most this many tokens.") var maxTokens = 64

    @Option(help: "0 is greedy; larger is more random.") var temperature = 0.0

    @Flag(help: "Take the prompt as a user's message, in the model's own chat template.")
    var chat = false
  }

  var writesLines: Bool { prompts != nil }

  func validate() throws {
    if (main.prompt == nil) == (prompts == nil) {
      throw ValidationError("Give --prompt with a text, or --prompts with a file.")
    }
    if !(1...1024).contains(batch) { throw ValidationError("--batch must be from 1 to 1024.") }
    if main.maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1.") }
    guard (1...Model.mostRecurrences).contains(main.recurrence ?? 1) else {
      throw ValidationError("--recurrence must be from 1 to \(Model.mostRecurrences).")
    }
    guard (1...Model.mostRecurrences).contains(cacheWindow ?? 1) else {
      throw ValidationError("--cache-window must be from 1 to \(Model.mostRecurrences).")
    }
    if topK ?? 1 < 1 { throw ValidationError("--top-k must be at least 1.") }
    if !(main.temperature >= 0) || !(topP > 0 && topP <= 1) {
      throw ValidationError("--temperature must be 0 or more, --top-p above 0 and at most 1.")
    }
    if stop.contains("") { throw ValidationError("--stop needs a text.") }
    if draftRecurrence != nil { try validateDraft() }
  }

  private func validateDraft() throws {
    if exit != nil {
      throw ValidationError(
        "--draft-recurrence checks each token at the full depth: it cannot be combined with --exit."
      )
    }
    if cacheWindow != nil {
      throw ValidationError(
        "--draft-recurrence needs keys and values of every recurrence: it cannot be combined with "
          + "--cache-window.")
    }
    if prompts != nil, batch != 1 {
      throw ValidationError("--draft-recurrence continues one text at a time: add --batch 1.")
    }
  }

  func perform(_ console: Console) throws -> GenerateReport {
    let opened = try OpenedModel(model, ignoring: configuration.ignoring)
    let isAboutDepth =
      main.recurrence != nil || exit != nil || draftRecurrence != nil || cacheWindow != nil
    if isAboutDepth, opened.graph.recurrence == nil {
      throw ModelError(model, .notRecurrent)
    }
    let tokenizer = try opened.tokenizer()
    let next = NextCommand.measure(opened.graph, at: model)
    if let prompts {
      try continueFile(PromptFile(prompts), opened, tokenizer, console)
      return GenerateReport(next: next, isSilent: output.json)
    }
    let text = try main.prompt == "-" ? Self.standardInput() : main.prompt ?? ""
    return try GenerateReport(one: continueOne(text, opened, tokenizer, console), next: next)
  }

  // MARK: One prompt

  private func continueOne(
    _ prompt: String, _ opened: OpenedModel, _ tokenizer: Tokenizer, _ console: Console
  ) throws -> ContinuationReport {
    let ids = try tokens(of: prompt, nil, tokenizer)
    guard !ids.isEmpty else {
      throw UsageError("the prompt has no tokens", hint: "give some text with --prompt")
    }
    let decoder = try decoder(opened, places: 1)
    let streams = !output.json
    var report: ContinuationReport?
    try generator(decoder, opened, tokenizer).run(
      [self.prompt(ids, opened, seed: seed)], exit: exit?.rule
    ) {
      if streams { console.writeModelText($0) }
      try console.requireOutput()
    } ended: {
      report = ContinuationReport(prompt: prompt, continuation: $0, of: decoder)
    }
    guard let report else { throw FileError("", .interrupted) }
    if streams { console.write("\n") }
    if !output.quiet {
      if exit != nil { console.note(report.depthLine) }
      if draftRecurrence != nil { console.note(report.draftLine) }
    }
    return report
  }

  private func decoder(_ opened: OpenedModel, places: Int) throws -> Decoder {
    try Decoder(
      opened.load(on: computing.compute(threading), as: holding.weights), sequences: places,
      recurrence: main.recurrence, cacheWindow: cacheWindow, draft: draftRecurrence?.rule)
  }

  private func generator(
    _ decoder: Decoder, _ opened: OpenedModel, _ tokenizer: Tokenizer
  ) -> Generator {
    Generator(decoder, tokenizer, Endings(texts: stop, tokens: tokenizer.ends(opened.graph)))
  }

  private func prompt(_ ids: [Int32], _ opened: OpenedModel, seed: UInt64) -> Prompt {
    Prompt(
      ids, limit: min(main.maxTokens, opened.graph.contextLimit - ids.count),
      sampler: Sampler(temperature: main.temperature, topK: topK, topP: topP, seed: seed),
      seed: seed)
  }

  private static func standardInput() throws -> String {
    guard let text = String(validating: try readStandardInput(), as: UTF8.self) else {
      throw DataError(.invalidUTF8, "standard input")
    }
    return text
  }

  /// The tokens of a text, or of the turns of a conversation.
  private func tokens(
    of prompt: String, _ messages: [JSONValue]?, _ tokenizer: Tokenizer
  ) throws -> [Int32] {
    guard main.chat || messages != nil else {
      return try tokenizer.encode(prompt, addSpecialTokens: true)
    }
    guard let template = tokenizer.chatTemplate else {
      throw UsageError(
        "\(model) has no chat template",
        hint: messages == nil ? "leave --chat out" : "write the field prompt instead of messages")
    }
    let text = try ChatTemplate(template, date: date ?? .now).render(
      messages: messages ?? [["role": "user", "content": .string(prompt)]],
      addGenerationPrompt: true,
      variables: tokenizer.templateVariables)
    // The template writes the special tokens itself.
    return try tokenizer.encode(text)
  }

  // MARK: A file of prompts

  private func continueFile(
    _ file: PromptFile, _ opened: OpenedModel, _ tokenizer: Tokenizer, _ console: Console
  ) throws {
    let context = opened.graph.contextLimit
    let seeds = file.entries.enumerated().map { $1.seed ?? seed &+ UInt64($0) }
    let prompts = try zip(file.entries, seeds).map { entry, seed in
      let ids = try tokens(of: entry.text, entry.messages, tokenizer)
      guard !ids.isEmpty, ids.count < context else {
        throw DataError(
          .promptLength(tokens: ids.count, context: context), file.path, entry.place)
      }
      return prompt(ids, opened, seed: seed)
    }
    let decoder = try decoder(opened, places: min(batch, prompts.count))
    var progress = Progress(console, output, "generate", total: prompts.count)
    var reports = InOrder<ContinuationReport>()
    var made = 0
    let start = monotonicSeconds()
    try generator(decoder, opened, tokenizer).run(prompts, exit: exit?.rule) { continuation in
      // What a signal cut short is no answer.
      try Interruption.check()
      let report = ContinuationReport(
        prompt: file.entries[continuation.number].text, continuation: continuation, of: decoder,
        seed: seeds[continuation.number])
      made += continuation.made.count
      for report in reports.add(report, at: continuation.number) { write(report, to: console) }
      try console.requireOutput()
      progress.advance()
    }
    try Interruption.check()
    progress.finish()
    let seconds = monotonicSeconds() - start
    if !output.quiet {
      console.note(
        "\(counted(made, "token")) for \(counted(prompts.count, "prompt")) in \(fixed(seconds, 2)) s: "
          + "\(fixed(Double(made) / seconds, 1)) tokens a second, including the time for the prompts"
      )
    }
  }

  private func write(_ report: ContinuationReport, to console: Console) {
    if output.json {
      let value = document(
        command: GenerateReport.command, isOK: true, fields: report.json, warnings: [], errors: [])
      return console.print(value.text())
    }
    let escaped = report.continuation.text.replacing("\\", with: "\\\\")
      .replacing("\r", with: "\\r").replacing("\n", with: "\\n")
    console.writeModelText(escaped + "\n")
  }
}
