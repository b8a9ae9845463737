import ByteIO
import Tokenizers

/// Consecutive windows of equal length from the start of a text's tokens.
struct TokenWindows {
  let length: Int
  private(set) var windows: [[Int32]] = []
  /// Bytes of text that the windows' tokens stand for.
  private(set) var byteCount = 0

  /// Tokenises as much of `data` as the windows need; a last, shorter stretch is left out.
  ///
  /// - Parameter count: Most windows; nil takes all.
  init(
    of data: ByteRegion, by tokenizer: Tokenizer, length: Int, count: Int?
  ) throws {
    self.length = length
    // A token is rarely longer than this; where it is, the text is read further.
    var prefix =
      count.map { $0.multipliedReportingOverflow(by: length * 8) }
      .map { $0.overflow ? data.byteCount : min(data.byteCount, $0.partialValue) }
      ?? data.byteCount
    var ids: [Int32] = []
    while true {
      ids = try tokenizer.encode(data.bytes(0..<prefix))
      // The cut may break a word: the tokens near it are not those of the whole text.
      let margin = prefix < data.byteCount ? 64 : 0
      if prefix == data.byteCount || (ids.count - margin) / length >= count ?? 0 { break }
      prefix = min(data.byteCount, prefix * 2)
    }
    let full = min(ids.count / length, count ?? .max)
    windows = (0..<full).map { Array(ids[($0 * length)..<(($0 + 1) * length)]) }
    byteCount = try tokenizer.decode(ids[..<(full * length)]).count
  }
}
