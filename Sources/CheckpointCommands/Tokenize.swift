import ArgumentParser
import ByteIO
import JSON
import Models
import Reports
import Tokenizers

/// `ckpt tokenize`: text to token ids and back.
struct Tokenize: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Turn text from standard input into token ids, or ids into text.",
    discussion: """
      MODEL is a folder or file with a tokenizer, or a tokenizer.json or tokenizer.model itself. No \
      special tokens are added unless --special asks for them.

      Example:
        echo -n "The capital of France is" | ckpt tokenize SmolLM2-135M
        echo 504 3575 282 4649 314 | ckpt tokenize SmolLM2-135M --decode
      """)

  @Argument(
    help: "Model folder, weight file, tokenizer.json or tokenizer.model.", completion: .file())
  var model: String

  @Flag(help: "Read ids, separated by white space or commas, and print their text.")
  var decode = false

  @Flag(help: "Add the special tokens that surround a text, such as BOS.")
  var special = false

  @OptionGroup var output: OutputOptions

  func perform(_ console: Console) throws -> TokenizeReport {
    let tokenizer = try Tokenizer(at: model)
    let input = try readStandardInput()
    guard decode else {
      let ids = try tokenizer.encode(input, addSpecialTokens: special)
      return TokenizeReport(model: model, ids: ids, decoded: nil)
    }
    let ids = try Self.ids(String(decoding: input, as: UTF8.self))
    return TokenizeReport(model: model, ids: ids, decoded: try tokenizer.decodeText(ids))
  }

  static func ids(_ text: String) throws -> [Int32] {
    try text.split { $0.isWhitespace || $0 == "," || $0 == "[" || $0 == "]" }.map { word in
      guard let id = Int32(word) else {
        throw UsageError("\"\(word)\" is not a token id", hint: "give whole numbers")
      }
      return id
    }
  }
}

/// What `ckpt tokenize` made.
struct TokenizeReport: Report {
  static let command = "tokenize"

  var model: String
  var ids: [Int32]
  /// The text of the ids; nil when the text was given.
  var decoded: String?

  var json: JSONObject {
    var object: JSONObject = ["ids": .array(ids.map { JSONValue(Int($0)) })]
    if let decoded { object["text"] = .string(decoded) }
    return object
  }

  var isModelText: Bool { decoded != nil }

  /// The way back.
  var next: String? { NextCommand.tokenize(model, decoding: decoded == nil) }

  var text: String {
    decoded ?? ids.map { "\($0)" }.joined(separator: " ") + "\n"
  }
}
