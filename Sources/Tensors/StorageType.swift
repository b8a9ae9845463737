/// How a tensor's elements are stored: one by one, or in quantised blocks.
public enum StorageType: Hashable, Sendable, CustomStringConvertible {
  case element(ElementType)
  case block(BlockType)

  /// The format's own spelling, such as `BF16` or `Q4_1`.
  public var description: String {
    switch self {
    case .element(let type): type.description
    case .block(let type): type.description
    }
  }

  /// Bytes that `count` elements take; nil when that is no whole number of bytes or blocks, or
  /// does not fit an `Int`.
  package func byteCount(elements count: Int) -> Int? {
    let (unit, size) =
      switch self {
      case .element(let type): type.bitWidth < 8 ? (8, type.bitWidth) : (1, type.bitWidth / 8)
      case .block(let type): (type.elementCount, type.byteCount)
      }
    guard count >= 0, count % unit == 0 else {
      // Sub-byte elements: any count whose bits fill whole bytes.
      guard case .element(let type) = self, count >= 0 else { return nil }
      let (bits, overflow) = count.multipliedReportingOverflow(by: type.bitWidth)
      return overflow || bits % 8 != 0 ? nil : bits / 8
    }
    let (bytes, overflow) = (count / unit).multipliedReportingOverflow(by: size)
    return overflow ? nil : bytes
  }
}

/// Product of a shape's dimensions; nil when it overflows, whatever the order of a zero.
package func elementCount(of shape: [Int]) -> Int? {
  var count = 1
  for dimension in shape where dimension != 0 {
    guard dimension > 0 else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
    if overflow { return nil }
    count = product
  }
  return shape.contains(0) ? 0 : count
}
