import ByteIO

/// Token ids stored by another program: a .npy array, or bare little-endian integers.
package struct TokenFile: TokenStream {
  package let path: String
  package let count: Int
  private let tokens: ByteRegion
  private let width: Int

  /// Opens a .npy file, one- or two-dimensional, of uint16, uint32, int32 or int64.
  package init(npy path: String) throws {
    let file = try ByteRegion(path: path)
    let header = try NPYHeader(file)
    self.path = path
    width = header.width
    count = header.count
    tokens = header.elements
  }

  /// Opens a file of bare integers.
  ///
  /// - Parameter width: Bytes of a token, 2 or 4.
  package init(binary path: String, width: Int) throws {
    tokens = try ByteRegion(path: path)
    self.path = path
    self.width = width
    guard tokens.byteCount > 0 else { throw DataError(.empty, path) }
    guard tokens.byteCount % width == 0 else {
      throw DataError(.partialToken(byteCount: tokens.byteCount, width: width), path)
    }
    count = tokens.byteCount / width
  }

  package func read(at start: Int, into result: inout [UInt32]) throws {
    let bytes = try tokens.bytes(start * width..<(start + result.count) * width)
    var reader = ByteReader(bytes.rawSpan)
    for i in result.indices {
      let id: UInt64 =
        switch width {
        case 2: UInt64(try reader.read(UInt16.self))
        case 4: UInt64(try reader.read(UInt32.self))
        default: try reader.read(UInt64.self)
        }
      // Negative numbers are far beyond any vocabulary, too.
      result[i] = UInt32(clamping: id)
    }
  }

  /// Throws when any id is not below `vocabulary`.
  package func check(vocabulary: Int) throws {
    var ids = [UInt32](repeating: 0, count: min(count, 1 << 18))
    var start = 0
    while start < count {
      ids.removeLast(ids.count - min(ids.count, count - start))
      try read(at: start, into: &ids)
      if (ids.max() ?? 0) >= vocabulary, let bad = ids.firstIndex(where: { $0 >= vocabulary }) {
        throw DataError(
          .tokenOutOfRange(id: Int(ids[bad]), vocabulary: vocabulary), path,
          at: tokens.start + (start + bad) * width)
      }
      start += ids.count
    }
  }
}

/// The header of a NumPy array file (NEP 1), as far as token files need it.
private struct NPYHeader {
  var width: Int
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
    let widths = ["<u2": 2, "<u4": 4, "<i4": 4, "<u8": 8, "<i8": 8]
    guard let width = widths[type] else { throw DataError(.unsupportedType(type), file.path) }
    guard (1...2).contains(shape.count) else { throw bad("\(shape.count) dimensions") }
    let (count, overflow) = (shape.first ?? 0).multipliedReportingOverflow(
      by: shape.dropFirst().first ?? 1)
    guard !overflow, count >= 0, count < Int.max / 8 else { throw bad("shape \(shape)") }
    guard count > 0 else { throw DataError(.empty, file.path) }
    let end = start + length + count * width
    guard let elements = file.subregion(start + length..<max(end, start + length)),
      end == file.byteCount
    else { throw bad("\(count) elements do not fill \(file.byteCount) bytes") }
    self.width = width
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
