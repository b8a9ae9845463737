/// Pickles in the making: each function gives the bytes of one value.
enum Pickle {
  static func document(_ value: [UInt8], version: UInt8 = 2) -> [UInt8] {
    [0x80, version] + value + op(".")
  }

  /// One opcode by its letter.
  static func op(_ letter: Character) -> [UInt8] { [letter.asciiValue ?? 0] }

  static let none = op("N")
  static let no: [UInt8] = [0x89]
  static let yes: [UInt8] = [0x88]
  static let emptyTuple = op(")")
  static let emptyList = op("]")

  static func text(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    return op("X") + little(UInt32(bytes.count)) + bytes
  }

  static func int(_ value: Int) -> [UInt8] {
    if let small = Int32(exactly: value) { return op("J") + little(UInt32(bitPattern: small)) }
    return [0x8A, 8] + little(UInt64(bitPattern: Int64(value)))
  }

  static func tuple(_ items: [UInt8]...) -> [UInt8] { op("(") + items.flatMap { $0 } + op("t") }

  static func ints(_ values: [Int]) -> [UInt8] { op("(") + values.flatMap(int) + op("t") }

  static func list(_ items: [UInt8]...) -> [UInt8] {
    emptyList + op("(") + items.flatMap { $0 } + op("e")
  }

  static func dictionary(_ items: [(String, [UInt8])]) -> [UInt8] {
    op("}") + op("(") + items.flatMap { text($0.0) + $0.1 } + op("u")
  }

  static func global(_ module: String, _ name: String) -> [UInt8] {
    op("c") + Array("\(module)\n\(name)\n".utf8)
  }

  static func call(_ function: [UInt8], _ arguments: [UInt8]...) -> [UInt8] {
    function + op("(") + arguments.flatMap { $0 } + op("t") + op("R")
  }

  static let orderedDictionary = call(global("collections", "OrderedDict"))

  static func put(_ index: UInt8) -> [UInt8] { op("q") + [index] }
  static func get(_ index: UInt8) -> [UInt8] { op("h") + [index] }

  // MARK: PyTorch's values

  static func storage(
    key: [UInt8] = text("0"), type: [UInt8] = global("torch", "FloatStorage"), count: Int = 6,
    location: String = "cpu", more: [UInt8] = []
  ) -> [UInt8] {
    op("(") + text("storage") + type + key + text(location) + int(count) + more + op("t") + op("Q")
  }

  /// `_rebuild_tensor_v2`; six floats as 2 x 3 unless told otherwise.
  static func tensor(
    _ storage: [UInt8] = storage(), offset: Int = 0, sizes: [Int] = [2, 3],
    strides: [Int] = [3, 1], more: [UInt8] = []
  ) -> [UInt8] {
    call(
      global("torch._utils", "_rebuild_tensor_v2"), storage, int(offset), ints(sizes),
      ints(strides), no, orderedDictionary, more)
  }

  /// `_rebuild_tensor_v3` over an untyped storage of `byteCount` bytes.
  static func typedTensor(_ type: String, byteCount: Int, sizes: [Int], strides: [Int]) -> [UInt8] {
    call(
      global("torch._utils", "_rebuild_tensor_v3"),
      storage(type: global("torch.storage", "UntypedStorage"), count: byteCount), int(0),
      ints(sizes), ints(strides), no, orderedDictionary, global("torch", type))
  }

  /// The document of a state dict.
  static func state(_ items: (String, [UInt8])...) -> [UInt8] { document(dictionary(items)) }
}

/// The bytes of `value`, least significant first.
func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
  (0..<MemoryLayout<Value>.size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}
