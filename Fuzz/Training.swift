import ByteIO
import Platform
import Training

/// A file that readers open by name.
private let file = "build/fuzz/input-of-training"

/// The file, open for as long as the process lives: to make one for each input would take longer than
/// to read it.
private let output: Descriptor? = {
  try? removeTree(file)
  return try? Descriptor(opening: file, for: .creating)
}()

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
  guard let output, (try? output.resize(to: bytes.count)) != nil,
    (try? output.write(bytes.span.bytes, at: 0)) != nil
  else { preconditionFailure("the readers' file cannot be written") }
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
