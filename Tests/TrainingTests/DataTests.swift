import ByteIO
import Foundation
import TestSupport
import Testing

@testable import Training

private func request(
  _ path: String, _ format: TextFormat, vocabulary: Int = 257, skips: Bool = false
) -> TokenCache.Request {
  TokenCache.Request(
    path: path, format: format, encoder: byteEncoder, vocabulary: vocabulary,
    skipsBadRecords: skips)
}

private func tokens(_ stream: any TokenStream) throws -> [UInt32] { try unmarked(stream) }

@Suite("Training data")
struct DataTests {
  private let folder = TemporaryFolder()

  private func read(
    _ name: String, _ content: [UInt8], _ format: TextFormat, skips: Bool = false
  ) throws -> CachedTokens {
    let path = try folder.write(content, to: name)
    return try TokenCache(folder.file("cache")).tokens(of: request(path, format, skips: skips))
  }

  @Test("the first token of each document is marked")
  func marks() throws {
    var divided = TextFormat(.text)
    divided.splitsAtBlankLines = true
    let text = try read("a.txt", Array("ab\ncd\n\n\nef\n".utf8), divided)
    #expect(text.marksDocuments)
    #expect(try documentStarts(text) == [0, 6])
    let lines = try read(
      "a.jsonl", Array("{\"text\": \"ab\"}\n{\"text\": \"c\"}\n".utf8), TextFormat(.jsonl))
    #expect(try documentStarts(lines) == [0, 3])
  }

  @Test("a text file is one document, or one for each part between blank lines")
  func text() throws {
    let content = Array("ab\ncd\n\n\nef\r\n".utf8)
    #expect(
      try tokens(read("a.txt", content, TextFormat(.text))) == bytes("ab\ncd\n\n\nef\r\n") + [256])
    var divided = TextFormat(.text)
    divided.splitsAtBlankLines = true
    let stream = try read("a.txt", content, divided)
    #expect(try tokens(stream) == bytes("ab\ncd") + [256] + bytes("ef") + [256])
    #expect(stream.documentCount == 2)
  }

  @Test("JSONL: text, prompt with completion, chat; only answers are targets")
  func jsonl() throws {
    let lines = """
      {"text": "ab"}
      {"prompt": "q", "completion": "z", "id": 7}

      {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}
      """
    let stream = try read("a.jsonl", Array(lines.utf8), TextFormat(.jsonl))
    let expected =
      bytes("ab") + [256] + bytes("q", masked: true) + bytes("z") + [256]
      + bytes("user:hi;assistant:", masked: true) + bytes("yo;") + [256 | TokenMark.notLearned]
    #expect(try tokens(stream) == expected)
    let tools = #"{"messages": [{"role": "user", "content": "a"}], "tools": []}"#
    let open = try tokens(read("t.jsonl", Array(tools.utf8), TextFormat(.jsonl)))
    #expect(open == bytes("user:a;", masked: true) + [256])
    var format = TextFormat(.jsonl)
    format.fields.text = "body"
    let other = try read("b.jsonl", Array(#"{"body": "x"}"#.utf8), format)
    #expect(try tokens(other) == bytes("x") + [256])
  }

  @Test("compressed files read like plain ones", arguments: ["gzip", "xz", "zstd"])
  func compressed(program: String) throws {
    let path = try folder.write(Array("some text\n".utf8), to: "plain.txt")
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program, "-q", "-k", "-f", path]
    try process.run()
    process.waitUntilExit()
    let suffix = ["gzip": "gz", "xz": "xz", "zstd": "zst"][program] ?? ""
    guard process.terminationStatus == 0 else { return }  // the program is not installed
    let cache = TokenCache(folder.file("cache"))
    let stream = try cache.tokens(of: request("\(path).\(suffix)", TextFormat(.text)))
    #expect(try tokens(stream) == bytes("some text\n") + [256])
  }

  struct Rejected: CustomTestStringConvertible {
    var content: [UInt8]
    var layout: DataKind
    var problem: DataError.Problem
    var line: Int?
    var testDescription: String { "\(problem)" }
  }

  @Test(
    "RF-5: bad data is an error with its line",
    arguments: [
      Rejected(content: [], layout: .text, problem: .empty),
      Rejected(content: Array("\n\n".utf8), layout: .jsonl, problem: .empty),
      Rejected(
        content: Array("ok\nb".utf8) + [0xFF], layout: .text, problem: .invalidUTF8, line: 2),
      Rejected(
        content: Array("{\"text\": \"a\"}\n{\"text\": \"".utf8) + [0xC3] + Array("\"}\n".utf8),
        layout: .jsonl, problem: .invalidUTF8, line: 2),
      Rejected(
        content: Array("{\"text\": \"a\"}\n\n[1]\n".utf8), layout: .jsonl,
        problem: .notAnObject("another value"), line: 3),
      Rejected(
        content: Array("{\"title\": \"a\"}\n".utf8), layout: .jsonl,
        problem: .missingField(
          ["text", "messages", "prompt", "conversations", "instruction", "content", "input_ids"],
          found: ["title"]), line: 1),
      Rejected(
        content: Array("{\"prompt\": \"a\"}\n".utf8), layout: .jsonl,
        problem: .missingField(["completion"], found: ["prompt"]), line: 1),
      Rejected(
        content: Array("{\"text\": 5}\n".utf8), layout: .jsonl,
        problem: .wrongType(field: "text", wanted: "a string"), line: 1),
    ])
  func rejects(_ sample: Rejected) throws {
    let path = try folder.write(sample.content, to: "bad")
    #expect(throws: DataError(sample.problem, path, line: sample.line)) {
      try read("bad", sample.content, TextFormat(sample.layout))
    }
  }

  @Test("a conversation needs a template that can make text of it")
  func conversations() throws {
    let turn = #"{"role": "user", "content": "a"}"#
    let lines = "{\"text\": \"x\"}\n{\"messages\": [\(turn), \(turn), \(turn)]}\n"
    let path = try folder.write(Array(lines.utf8), to: "chat.jsonl")
    let reason = DataError(.empty, "").message
    #expect(throws: DataError(.badChat(reason), path, line: 2)) {
      try read("chat.jsonl", Array(lines.utf8), TextFormat(.jsonl))
    }
    var plain = byteEncoder
    plain.chat = nil
    var request = request(path, TextFormat(.jsonl), skips: true)
    request.encoder = plain
    // No record of its kind can be read, so none is left out in silence.
    #expect(throws: DataError(.noChatTemplate, path, line: 2)) {
      try TokenCache(folder.file("cache")).tokens(of: request)
    }
  }

  @Test("bad records are left out and counted where that was asked for")
  func skips() throws {
    let content = "{\"text\": \"a\"}\nnonsense\n{\"x\": 1}\n{\"text\": \"b\"}\n"
    let stream = try read("s.jsonl", Array(content.utf8), TextFormat(.jsonl), skips: true)
    #expect(try tokens(stream) == bytes("a") + [256] + bytes("b") + [256])
    #expect(stream.skippedCount == 2)
  }

  @Test("of plain text, lines that are no UTF-8 are left out and counted")
  func skipsLines() throws {
    let content = Array("a\n".utf8) + [0xFF, 0x0A] + Array("b\n".utf8) + [0xC3, 0x28, 0x0A, 0x63]
    let stream = try read("l.txt", content, TextFormat(.text), skips: true)
    #expect(try tokens(stream) == bytes("a\nb\nc") + [256])
    #expect(stream.skippedCount == 2)
    #expect(stream.documentCount == 1)
  }

  @Test("a long part between blank lines is cut into pieces of one document")
  func longParagraph() throws {
    let line = [UInt8](repeating: 0x61, count: 999) + [0x0A]
    let part = Array([[UInt8]](repeating: line, count: 5000).joined().dropLast())
    var format = TextFormat(.text)
    format.splitsAtBlankLines = true
    let stream = try read("p.txt", part + Array("\n\n\nb".utf8), format)
    #expect(stream.documentCount == 2)
    let expected = part.map { UInt32($0) } + [256] + bytes("b") + [256]
    #expect(try tokens(stream) == expected)
  }

  @Test("RF-6: a tokenizer whose ids exceed the embedding is refused")
  func vocabulary() throws {
    let path = try folder.write(Array("az".utf8), to: "v.txt")
    #expect(throws: DataError(.tokenOutOfRange(id: 122, vocabulary: 110), path, line: 1)) {
      try TokenCache(folder.file("cache")).tokens(
        of: request(path, TextFormat(.text), vocabulary: 110))
    }
  }

  @Test("long documents are cut into pieces and read whole")
  func long() throws {
    let line = Array("The quick brown fox jumps over the lazy dog. ".utf8) + [0x0A]
    // 4.6 MB, more than one piece.
    let content = Array([[UInt8]](repeating: line, count: 100_000).joined())
    let stream = try read("long.txt", content, TextFormat(.text))
    #expect(stream.documentCount == 1)
    let read = try tokens(stream)
    #expect(read.last == 256)
    #expect(read.dropLast().elementsEqual(content.lazy.map { UInt32($0) }))
  }

  @Test("RF-4: the cache is used again, and a broken file in it is an error")
  func cache() throws {
    let path = try folder.write(Array("once".utf8), to: "c.txt")
    let cache = TokenCache(folder.file("cache2"))
    _ = try cache.tokens(of: request(path, TextFormat(.text)))
    var calls = 0
    let again = try cache.tokens(of: request(path, TextFormat(.text))) { _ in calls += 1 }
    #expect(calls == 0)
    #expect(try tokens(again) == bytes("once") + [256])
    let name = try #require(try folderEntries(cache.folder).first)
    try folder.write([1, 2, 3], to: "cache2/" + name)
    #expect(throws: DataError.self) { try cache.tokens(of: request(path, TextFormat(.text))) }
  }
}
