import ByteIO
import Training

/// A file that readers open by name.
private let file = "build/fuzz/input-of-training"

/// Called by libFuzzer with each input: a recipe, and a file of token ids of any kind.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  if let text = String(validating: bytes, as: UTF8.self) {
    var settings = TrainingSettings()
    if (try? TrainingRecipe.apply(text: text, to: &settings)) != nil {
      var again = TrainingSettings()
      try? TrainingRecipe.apply(text: TrainingRecipe.text(of: settings), to: &again)
      precondition(again == settings, "a recipe gives its settings back")
    }
  }
  guard (try? write(bytes)) != nil else { return 0 }
  for kind in [DataKind.npy, .shard, .bin] {
    guard let tokens = try? TokenFile(file, kind, vocabulary: 1000, ending: 0) else { continue }
    var ids = [UInt32](repeating: 0, count: min(tokens.count, 1 << 12))
    try? tokens.read(at: tokens.count - ids.count, into: &ids)
  }
  if let tokens = try? CachedTokens(file), tokens.count > 0 {
    var ids = [UInt32](repeating: 0, count: min(tokens.count, 1 << 12))
    try? tokens.read(at: 0, into: &ids)
  }
  return 0
}

private func write(_ bytes: [UInt8]) throws {
  let staged = try StagedOutput(at: file, isFolder: false, force: true, inputs: [], needed: 0)
  var output = try OutputFile(creating: staged.temporary)
  try output.write(bytes)
  _ = try output.finish()
  try staged.publish()
}
