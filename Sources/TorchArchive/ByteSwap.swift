import Tensors

extension [UInt8] {
  /// Reverses the bytes of each number: of each element, or of each part of a complex one.
  mutating func swapBytes(of type: ElementType) {
    let width =
      switch type {
      case .c64: 4
      case .c128: 8
      default: type.bitWidth / 8
      }
    guard width > 1 else { return }
    for start in stride(from: 0, to: count - width + 1, by: width) {
      for i in 0..<(width / 2) { swapAt(start + i, start + width - 1 - i) }
    }
  }
}
