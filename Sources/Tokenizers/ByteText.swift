extension [UInt8] {
  /// The same bytes with each malformed UTF-8 sequence replaced by U+FFFD, as Python does with
  /// `errors="replace"`: one for every maximal part that could have started a character.
  var repairedUTF8: [UInt8] {
    if span.allASCII { return self }
    return Array(String(decoding: self, as: UTF8.self).utf8)
  }

  /// The same bytes with every `old`, from the left, become `new`; `old` is not empty.
  func replacingAll(_ old: [UInt8], with new: [UInt8]) -> [UInt8] {
    guard let first = old.first, contains(first) else { return self }
    var result: [UInt8] = []
    result.reserveCapacity(count + count / 4)
    var i = 0
    while i < count {
      if self[i] == first, self[i...].starts(with: old) {
        result.append(contentsOf: new)
        i += old.count
      } else {
        result.append(self[i])
        i += 1
      }
    }
    return result
  }

  /// Appends a scalar in UTF-8.
  mutating func append(scalar: UInt32) {
    guard let scalar = Unicode.Scalar(scalar), let units = UTF8.encode(scalar) else { return }
    append(contentsOf: units)
  }
}

extension Span<UInt8> {
  /// How often `pattern` occurs, each place after the one before.
  func count(of pattern: [UInt8]) -> Int {
    var (found, i) = (0, 0)
    while i + pattern.count <= count {
      if pattern.indices.allSatisfy({ self[i + $0] == pattern[$0] }) {
        found += 1
        i += pattern.count
      } else {
        i += 1
      }
    }
    return found
  }

  var allASCII: Bool {
    var bits: UInt8 = 0
    for i in indices { bits |= self[i] }
    return bits < 0x80
  }
}
