import ByteIO

/// The header of a NumPy array file (NEP 1), as far as token files need it.
struct NPYHeader {
  var type: TokenType
  var count: Int
  var elements: ByteRegion

  init(_ file: ByteRegion) throws {
    func bad(_ reason: String) -> DataError { DataError(.badHeader(reason), file.path) }
    let head = try file.bytes(0..<min(file.byteCount, 12))
    guard head.starts(with: [0x93] + Array("NUMPY".utf8)), head.count == 12 else {
      throw bad("it does not start with \\x93NUMPY")
    }
    let isOld = head[6] == 1
    guard (1...3).contains(head[6]) else { throw bad("version \(head[6])") }
    let length =
      isOld
      ? Int(head[8]) | Int(head[9]) << 8
      : (0..<4).reduce(0) { $0 | Int(head[8 + $1]) << (8 * $1) }
    let start = isOld ? 10 : 12
    guard length <= 1 << 16, start + length <= file.byteCount else {
      throw bad("a header of \(length) bytes")
    }
    let text = String(
      decoding: try file.bytes(start..<start + length), as: UTF8.self)
    guard let type = Self.value(of: "descr", in: text), let shape = Self.shape(in: text) else {
      throw bad("no descr or no shape")
    }
    if Self.value(of: "fortran_order", in: text) == "True", shape.count > 1 {
      throw bad("columns first")
    }
    let types: [String: TokenType] = [
      "<u2": .uint16, "<u4": .uint32, "<i4": .int32, "<u8": .uint64, "<i8": .int64,
    ]
    guard let type = types[type] else { throw DataError(.unsupportedType(type), file.path) }
    guard (1...2).contains(shape.count) else { throw bad("\(shape.count) dimensions") }
    let (count, overflow) = shape[0].multipliedReportingOverflow(by: shape.dropFirst().first ?? 1)
    guard shape.allSatisfy({ $0 >= 0 }), !overflow else { throw bad("shape \(shape)") }
    guard count > 0 else { throw DataError(.empty, file.path) }
    let space = file.byteCount - start - length
    guard count <= space / type.width, count * type.width == space,
      let elements = file.subregion(start + length..<file.byteCount)
    else { throw bad("\(count) elements do not fill \(file.byteCount) bytes") }
    self.type = type
    self.count = count
    self.elements = elements
  }

  /// The value after `'key':` in the dictionary, without quotes, up to a comma.
  private static func value(of key: String, in text: String) -> String? {
    guard let start = tail(of: key, in: text) else { return nil }
    return String(start.prefix { $0 != "," && $0 != "}" }.filter { $0 != "'" && $0 != " " })
  }

  private static func shape(in text: String) -> [Int]? {
    guard let start = tail(of: "shape", in: text)?.drop(while: { $0 == " " }), start.first == "("
    else { return nil }
    let parts = start.dropFirst().prefix { $0 != ")" }.split(separator: ",")
    let numbers = parts.compactMap { Int($0.filter { $0 != " " }) }
    return numbers.count == parts.filter { !$0.allSatisfy { $0 == " " } }.count ? numbers : nil
  }

  private static func tail(of key: String, in text: String) -> Substring? {
    let pattern = "'\(key)':"
    var rest = text[...]
    while !rest.isEmpty {
      if rest.hasPrefix(pattern) { return rest.dropFirst(pattern.count) }
      rest = rest.dropFirst()
    }
    return nil
  }
}
