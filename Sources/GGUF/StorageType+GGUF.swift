import Tensors

extension StorageType {
  private static let elementTypes: [UInt32: ElementType] = [
    0: .f32, 1: .f16, 24: .i8, 25: .i16, 26: .i32, 27: .i64, 28: .f64, 30: .bf16,
  ]

  private static let removedTypes: [UInt32: String] = [
    4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
  ]

  /// The type of a number in the tensor table (GG-11).
  init(ggml number: UInt32) throws(GGUFError) {
    if let type = Self.elementTypes[number] {
      self = .element(type)
    } else if let type = BlockType(rawValue: number) {
      self = .block(type)
    } else if let name = Self.removedTypes[number] {
      throw GGUFError(.typeRemoved(number, name: name))
    } else {
      throw GGUFError(.typeUnknown(number))
    }
  }

  /// The number of the type in the tensor table; nil for types that GGUF has not.
  var ggmlNumber: UInt32? {
    switch self {
    case .block(let type): type.rawValue
    case .element(let type): Self.elementTypes.first { $0.value == type }?.key
    }
  }
}
