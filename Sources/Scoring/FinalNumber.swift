/// The number that an answer comes to: the first one after `####`, which ends an answer in GSM8K, or
/// else the last one of the text. Nil when there is none.
///
/// The minus sign of typesetting (U+2212) counts as that of the keyboard. Commas between digits and a dollar sign before them do not count; a minus sign counts where
/// nothing that could be subtracted from stands before it.
package func finalNumber(_ text: String) -> Double? {
  let bytes = Array(text.replacing("\u{2212}", with: "-").utf8)
  let mark = Array("####".utf8)
  let marked = bytes.indices.last { bytes[$0...].starts(with: mark) }
  guard let marked else { return numbers(bytes[...]).last }
  return numbers(bytes[(marked + mark.count)...]).first ?? numbers(bytes[..<marked]).last
}

/// All numbers of a text, in order.
private func numbers(_ text: ArraySlice<UInt8>) -> [Double] {
  var numbers: [Double] = []
  var i = text.startIndex
  while i < text.endIndex {
    guard isDigit(text, i) || (text[i] == UInt8(ascii: ".") && isDigit(text, i + 1)) else {
      i += 1
      continue
    }
    var digits = isNegative(text, i) ? "-" : ""
    var hasPoint = false
    while i < text.endIndex {
      let isPoint = text[i] == UInt8(ascii: ".") && !hasPoint && isDigit(text, i + 1)
      let isComma = text[i] == UInt8(ascii: ",") && !hasPoint && isDigit(text, i + 1)
      guard isDigit(text, i) || isPoint || isComma else { break }
      if isPoint { hasPoint = true }
      if !isComma { digits.unicodeScalars.append(UnicodeScalar(text[i])) }
      i += 1
    }
    if let number = Double(digits) { numbers.append(number) }
  }
  return numbers
}

private func isDigit(_ text: ArraySlice<UInt8>, _ i: Int) -> Bool {
  text.indices.contains(i) && (0x30...0x39).contains(text[i])
}

/// Whether a minus sign belongs to the number that starts at `i`.
private func isNegative(_ text: ArraySlice<UInt8>, _ i: Int) -> Bool {
  var sign = i - 1
  if sign >= text.startIndex, text[sign] == UInt8(ascii: "$") { sign -= 1 }
  guard sign >= text.startIndex, text[sign] == UInt8(ascii: "-") else { return false }
  guard sign > text.startIndex else { return true }
  let before = text[sign - 1]
  let isWord = (0x30...0x39).contains(before) || (0x41...0x5A).contains(before & 0xDF)
  return !isWord && before != UInt8(ascii: ")") && before < 0x80
}
