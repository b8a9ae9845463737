/// Builds GGUF files field by field, valid or not, without the writer under test.
struct GGUFBytes {
  var bytes: [UInt8] = Array("GGUF".utf8)

  init(version: UInt32 = 3, tensors: UInt64 = 0, entries: UInt64 = 0) {
    add(version)
    add(tensors)
    add(entries)
  }

  mutating func add(_ value: some FixedWidthInteger) {
    for i in 0..<value.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * i))) }
  }

  mutating func add(string: String) { add(string: Array(string.utf8)) }

  mutating func add(string: [UInt8]) {
    add(UInt64(string.count))
    bytes += string
  }

  mutating func entry(_ key: String, _ type: UInt32, _ value: some FixedWidthInteger) {
    add(string: key)
    add(type)
    add(value)
  }

  mutating func tensor(
    _ name: String, rank: UInt32? = nil, _ dimensions: [UInt64], type: UInt32 = 0, at offset: UInt64
  ) {
    add(string: name)
    add(rank ?? UInt32(dimensions.count))
    for dimension in dimensions { add(dimension) }
    add(type)
    add(offset)
  }

  mutating func data(_ count: Int, alignment: Int = 32) {
    while bytes.count % alignment != 0 { bytes.append(0) }
    bytes += (0..<count).map { UInt8(truncatingIfNeeded: $0) }
  }

  /// A file with these metadata entries, and data of `padding` bytes; nil leaves the header open.
  static func metadata(count: UInt64 = 1, padding: Int? = 64, _ build: (inout Self) -> Void)
    -> [UInt8]
  {
    var file = Self(entries: count)
    build(&file)
    if let padding { file.data(padding) }
    return file.bytes
  }

  /// A file with these tensors and `data` bytes.
  static func tensors(
    _ count: UInt64 = 1, data: Int = 64, _ build: (inout Self) -> Void
  ) -> [UInt8] {
    var file = Self(tensors: count)
    build(&file)
    file.data(data)
    return file.bytes
  }
}
