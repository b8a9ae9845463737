/// One 512-byte header of a ustar archive. Rules RP-21 to RP-25.
package struct TarHeader {
  package static let block = 512
  /// Sizes that eleven octal digits can spell end here.
  package static let octalLimit = 1 << 33

  package var name: String
  package var byteCount: Int
  package var type: UInt8

  package static let file = UInt8(ascii: "0")
  package static let extended = UInt8(ascii: "x")

  package init(name: String, byteCount: Int, type: UInt8 = file) {
    self.name = name
    self.byteCount = byteCount
    self.type = type
  }

  // MARK: Reading

  package init(_ block: [UInt8]) throws(TarProblem) {
    let magic = Array(block[257..<265])
    guard magic == Array("ustar\u{0}00".utf8) || magic == Array("ustar  \u{0}".utf8) else {
      throw TarProblem.wrongMagic
    }
    let stated = try Self.octal(block[148..<156], "checksum")
    let sum = block.indices.reduce(0) {
      $0 + ((148..<156).contains($1) ? 0x20 : Int(block[$1]))
    }
    guard stated == sum else { throw TarProblem.wrongChecksum(found: stated, wanted: sum) }
    let kind = block[156] == 0 ? Self.file : block[156]
    guard kind == Self.file || kind == Self.extended else {
      throw TarProblem.memberType(kind)
    }
    byteCount = try Self.octal(block[124..<136], "size")
    type = kind
    let prefix = magic[5] == 0 ? try Self.text(block[345..<500]) : ""
    let rest = try Self.text(block[0..<100])
    name = prefix.isEmpty ? rest : prefix + "/" + rest
  }

  /// Digits up to a NUL or a space; base-256 is refused.
  private static func octal(_ field: ArraySlice<UInt8>, _ name: String) throws(TarProblem) -> Int {
    var value = 0
    var digits = 0
    var hasEnded = false
    for byte in field {
      switch byte {
      case 0x30...0x37 where !hasEnded:
        value = value << 3 | Int(byte - 0x30)
        digits += 1
      case 0x20 where digits == 0: continue
      case 0, 0x20: hasEnded = true
      default: throw TarProblem.malformedNumber(field: name)
      }
    }
    guard digits > 0 else { throw TarProblem.malformedNumber(field: name) }
    return value
  }

  /// UTF-8 up to the first NUL, after which there is nothing else.
  private static func text(_ field: ArraySlice<UInt8>) throws(TarProblem) -> String {
    let end = field.firstIndex(of: 0) ?? field.endIndex
    guard field[end...].allSatisfy({ $0 == 0 }),
      let text = String(validating: field[..<end], as: UTF8.self)
    else { throw TarProblem.malformedName }
    return text
  }

  // MARK: Writing

  /// The header's bytes: no owner, no time, mode 0644.
  package var bytes: [UInt8] {
    var block = [UInt8](repeating: 0, count: Self.block)
    func put(_ text: String, at start: Int) {
      for (i, byte) in text.utf8.enumerated() { block[start + i] = byte }
    }
    func octal(_ value: Int, _ width: Int) -> String {
      let digits = String(value, radix: 8)
      return String(repeating: "0", count: width - digits.count) + digits
    }
    put(String(decoding: Array(name.utf8.prefix(100)), as: UTF8.self), at: 0)
    put(octal(0o644, 7), at: 100)
    put(octal(0, 7), at: 108)
    put(octal(0, 7), at: 116)
    put(octal(byteCount < Self.octalLimit ? byteCount : 0, 11), at: 124)
    put(octal(0, 11), at: 136)
    put("        ", at: 148)
    block[156] = type
    put("ustar", at: 257)
    put("00", at: 263)
    put(octal(block.reduce(0) { $0 + Int($1) }, 6) + "\u{0}", at: 148)
    return block
  }

  /// The header, with an extended one before it where name or size do not fit.
  package var blocks: [UInt8] {
    var records: [UInt8] = []
    if name.utf8.count > 100 { records += Self.record("path", name) }
    if byteCount >= Self.octalLimit { records += Self.record("size", "\(byteCount)") }
    guard !records.isEmpty else { return bytes }
    let header = TarHeader(name: "extended", byteCount: records.count, type: Self.extended)
    return header.bytes + records
      + [UInt8](repeating: 0, count: Self.padding(records.count)) + bytes
  }

  /// `LENGTH KEY=VALUE` and a line break; the length counts itself.
  private static func record(_ key: String, _ value: String) -> [UInt8] {
    let rest = " \(key)=\(value)\n"
    var length = rest.utf8.count + 1
    while "\(length)".utf8.count + rest.utf8.count > length { length += 1 }
    return Array("\(length)\(rest)".utf8)
  }

  /// Bytes from the end of a member of this size to the next header.
  package static func padding(_ byteCount: Int) -> Int { (block - byteCount % block) % block }
}
