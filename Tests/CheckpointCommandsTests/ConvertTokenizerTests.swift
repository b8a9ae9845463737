import ByteIO
import Foundation
import GGUF
import JSON
import Models
import Tensors
import TestSupport
import Testing
import Tokenizers

@testable import CheckpointCommands

@Suite("ckpt convert and tokenizers")
struct ConvertTokenizerTests {
  let folder = TemporaryFolder()

  private func convert(_ arguments: String...) throws -> Outcome {
    try outcome(Convert.self, arguments)
  }

  private func warnings(_ outcome: Outcome) -> [String] {
    outcome.json?["warnings"]?.array?.compactMap { $0["code"]?.string } ?? []
  }

  @Test("TK-14: a folder's tokenizer goes into the GGUF file, and reads back token for token")
  func written() throws {
    let model = Fixtures.path("tiny-arithmetic")
    let path = folder.file("m.gguf")
    let done = try convert(model, "-o", path, "--json")
    #expect(done.code == 0)
    #expect(warnings(done) == [])
    let text = try ByteRegion(path: Fixtures.path("text/heldout.txt")).contents(limit: 1 << 20)
    let (source, again) = (try Tokenizer(at: model), try Tokenizer(at: path))
    #expect(try again.encode(text) == source.encode(text))
    #expect(
      try again.encode("a", addSpecialTokens: true) == source.encode("a", addSpecialTokens: true))
    #expect(again.bosID == source.bosID)
    #expect(again.eosID == source.eosID)
    #expect(again.chatTemplate == source.chatTemplate)
    // And back into a folder.
    #expect(try convert(path, "-o", folder.file("hf")).code == 0)
    #expect(try Tokenizer(at: folder.file("hf")).encode(text) == source.encode(text))
  }

  @Test("a chat template goes into the GGUF file and back into a folder")
  func template() throws {
    let model = folder.file("source")
    try FileManager.default.copyItem(atPath: Fixtures.path("tiny-arithmetic"), toPath: model)
    let template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    try Data(template.utf8).write(to: URL(fileURLWithPath: model + "/chat_template.jinja"))
    let (path, again) = (folder.file("t.gguf"), folder.file("again"))
    #expect(try convert(model, "-o", path).code == 0)
    let file = try GGUFFile(ByteRegion(path: path))
    #expect(file["tokenizer.chat_template"]?.string == template)
    #expect(try convert(path, "-o", again).code == 0)
    #expect(try Tokenizer(at: again).chatTemplate == template)
  }

  @Test("tokenizer.unsupported, convert.no_tokenizer: the weights are written, and it is said why")
  func unsupported() throws {
    let model = try copy(of: "golden/tiny-llama/source", tokenizer: "unigram.json")
    let done = try convert(model, "-o", folder.file("m.gguf"), "--json")
    #expect(done.code == 0)
    #expect(warnings(done) == ["tokenizer.unsupported", "convert.no_tokenizer"])
  }

  @Test("tokenizer.unequal_counts: a malformed GGUF tokenizer does not stop the weights")
  func malformed() throws {
    let source = try GGUFFile(ByteRegion(path: Fixtures.path("gguf/llama.gguf")))
    let metadata = source.metadata.map { key, value in
      (key, key == "tokenizer.ggml.token_type" ? GGUFValue.array(GGUFArray([1] as [Int32])) : value)
    }
    let layout = try GGUFLayout(
      source.tensors.map { .init(name: $0.name, type: $0.type, shape: $0.shape) },
      metadata: metadata)
    let path = folder.file("bad.gguf")
    var writer = try GGUFWriter(creating: path, layout: layout)
    for i in source.tensors.indices { try writer.copy(#require(source.region(of: i))) }
    _ = try writer.finish()
    for (target, codes) in [
      ("hf", ["tokenizer.unequal_counts", "convert.no_tokenizer"]),
      ("m.safetensors", ["tokenizer.unequal_counts"]), ("m.gguf", ["tokenizer.unequal_counts"]),
    ] {
      let done = try convert(path, "-o", folder.file(target), "--json")
      #expect(done.code == 0, "\(target)")
      #expect(warnings(done) == codes, "\(target)")
    }
  }

  private func copy(of model: String, tokenizer: String) throws -> String {
    let target = folder.file("model")
    try FileManager.default.copyItem(atPath: Fixtures.path(model), toPath: target)
    let json = target + "/tokenizer.json"
    try? FileManager.default.removeItem(atPath: json)
    try FileManager.default.copyItem(
      atPath: Fixtures.path("tokenizers/" + tokenizer), toPath: json)
    return target
  }
}
