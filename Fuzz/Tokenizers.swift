import ByteIO
import JSON
import Tokenizers

/// Text in which every kind of step finds something.
private let text = Array(
  "It's 12 €\r\n\tHello WORLD camelCase  e\u{301}\u{316} \u{AC00} x<|im_end|>▁a".utf8)

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  let read = (try? Tokenizer(tokenizerJSON: bytes)) ?? (try? Tokenizer(sentencePiece: bytes))
  guard let tokenizer = read else { return 0 }
  // The file's own bytes are a text that its tokens are likely to be found in.
  for text in [text, Array(bytes.prefix(10_000))] {
    guard let ids = try? tokenizer.encode(text, addSpecialTokens: true) else { continue }
    precondition(
      ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularySize },
      "TK-1: a text's tokens are of the vocabulary")
    let decoded = try? tokenizer.decode(ids)
    precondition(decoded != nil, "TK-9: tokens of a text can be decoded")
  }
  return 0
}
