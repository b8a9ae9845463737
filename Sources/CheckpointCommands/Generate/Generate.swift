import ArgumentParser
import ByteIO
import ChatTemplates
import Generation
import JSON
import Kernels
import ModelGraph
import Models
import Tokenizers
import Transformer

/// `ckpt generate`: let the model go on with a text.
struct Generate: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Continue a prompt; only the continuation goes to standard output.",
    discussion: """
      BOS is put before the prompt when the tokenizer's configuration says so. Every pass through the \
      core keeps keys and values of its own, so the cache has p + c * r + d entries a token.

      Example:
        ckpt generate smollm2-r --prompt "The capital of France is" --recurrence 8
        ckpt generate smollm2-r --prompt "Hi" --chat --temperature 0.7 --top-p 0.9 --seed 3
        ckpt generate smollm2-r --prompt "2+2=" --recurrence 32 --exit kl:5e-4
      """)

  @Argument(help: "Source model or package.", completion: .file()) var model: String

  @Option(help: "Text to continue.") var prompt: String

  @Flag(help: "Take the prompt as a user's message, in the model's own chat template.")
  var chat = false

  @Option(
    help: ArgumentHelp(
      "Date that the chat template writes; today's by default.", valueName: "yyyy-mm-dd"))
  var date: TemplateDate?

  @Option(help: "Recurrences; the model's own number by default.") var recurrence: Int?

  @Option(help: "Most tokens to make.") var maxTokens = 64

  @Option(help: "0 is greedy; larger is more random.") var temperature = 0.0

  @Option(help: "Draw from the K most likely tokens only.") var topK: Int?

  @Option(help: "Draw from the most likely tokens of this joint probability only.")
  var topP = 1.0

  @Option(help: "Seed of the draws and of the start state.") var seed: UInt64 = 0

  @Option(help: "Stop before this text; repeatable.") var stop: [String] = []

  @Option(help: "Let each token stop recurring early: kl:LIMIT or latent:LIMIT.")
  var exit: ExitChoice?

  @Flag(help: "Keep only the last recurrence's keys and values: a smaller cache, other numbers.")
  var shareCache = false

  @OptionGroup var threading: ThreadOptions
  @OptionGroup var configuration: ConfigOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if maxTokens < 1 { throw ValidationError("--max-tokens is at least 1.") }
    guard (1...Model.mostRecurrences).contains(recurrence ?? 1) else {
      throw ValidationError("--recurrence is from 1 to \(Model.mostRecurrences).")
    }
    if topK ?? 1 < 1 { throw ValidationError("--top-k is at least 1.") }
    if !(temperature >= 0) || !(topP > 0 && topP <= 1) {
      throw ValidationError("--temperature is from 0 on, --top-p above 0 and at most 1.")
    }
    if stop.contains("") { throw ValidationError("--stop needs a text.") }
  }

  func perform(_ console: Console) throws -> GenerateReport {
    let opened = try OpenedModel(model, ignoring: configuration.ignoring)
    if recurrence != nil || exit != nil, opened.graph.recurrence == nil {
      throw ModelError(model, .notRecurrent)
    }
    let tokenizer = try opened.tokenizer()
    let ids = try promptTokens(tokenizer)
    guard !ids.isEmpty else {
      throw UsageError("the prompt has no tokens", hint: "give some text with --prompt")
    }
    let decoder = try Decoder(
      opened.load(on: threading.compute()), recurrence: recurrence, sharesCoreCache: shareCache,
      seed: seed)
    var session = GenerationSession(
      decoder: decoder, tokenizer: tokenizer, stops: stop.map { Array($0.utf8) },
      ends: tokenizer.ends(opened.graph))
    var sampler = Sampler(temperature: temperature, topK: topK, topP: topP, seed: seed)
    let streams = !output.json
    try session.run(
      ids, limit: min(maxTokens, opened.graph.sizes.context - ids.count), exit: exit?.rule,
      sampler: &sampler
    ) {
      if streams { console.writeModelText($0) }
      try console.requireOutput()
    }
    if streams { console.write("\n") }
    if exit != nil, !output.quiet { console.note(session.depthLine) }
    return GenerateReport(prompt: prompt, promptTokens: ids.count, of: session)
  }

  private func promptTokens(_ tokenizer: Tokenizer) throws -> [Int32] {
    guard chat else { return try tokenizer.encode(prompt, addSpecialTokens: true) }
    guard let template = tokenizer.chatTemplate else {
      throw UsageError("\(model) has no chat template", hint: "leave --chat out")
    }
    let text = try ChatTemplate(template, date: date ?? .now).render(
      messages: [["role": "user", "content": .string(prompt)]], addGenerationPrompt: true,
      variables: tokenizer.templateVariables)
    // The template writes the special tokens itself.
    return try tokenizer.encode(text)
  }
}
