import ByteIO
import JSON
package import Tensors

/// Where everything will lie in a safetensors file that is still to be written.
///
/// The data starts at a multiple of 64, by spaces after the header's object, and there is no hole
/// between tensors. In the aligned order every tensor of whole cache lines starts at one as well,
/// and every other tensor at a multiple of its element size.
package struct SafetensorsLayout: Equatable, Sendable {
  /// A tensor to be written.
  package struct Tensor: Equatable, Sendable {
    package var name: TensorName
    package var type: ElementType
    package var shape: [Int]

    package init(name: TensorName, type: ElementType, shape: [Int]) {
      self.name = name
      self.type = type
      self.shape = shape
    }
  }

  package enum Order: Sendable {
    /// Sizes that are multiples of 64 first, then wider elements first, then by name: the same
    /// file whatever the order of the request.
    case aligned
    /// As requested.
    case given
  }

  /// A tensor and its place.
  package struct Entry: Equatable, Sendable {
    package var tensor: Tensor
    /// Position in the file.
    package var range: Range<Int>
  }

  /// In the order in which the bytes must be written.
  package let entries: [Entry]
  /// What comes before the tensors' bytes: the length, the header, its padding.
  package let header: [UInt8]
  /// Size of the whole file.
  package let byteCount: Int

  /// - Parameters:
  ///   - metadata: Strings for `__metadata__`, in their order.
  /// - Throws: When a tensor's name or type is not allowed in the format, a name is used twice, or
  ///   the sizes exceed 64 bits.
  package init(
    _ tensors: [Tensor], metadata: [(key: String, value: String)] = [], order: Order = .aligned
  ) throws(SafetensorsError) {
    var sized: [(tensor: Tensor, byteCount: Int)] = []
    for tensor in tensors { sized.append((tensor, try Self.byteCount(of: tensor))) }
    if order == .aligned { sized.sort { Self.alignedOrder($0, $1) } }
    var ranges: [Range<Int>] = []
    var end = 0
    for (tensor, count) in sized {
      let (next, overflow) = end.addingReportingOverflow(count)
      // Far above any disk, and sums with a header's size still fit.
      guard !overflow, next < 1 << 60 else {
        throw SafetensorsError(.overflow("the file's size"), tensor: tensor.name)
      }
      ranges.append(end..<next)
      end = next
    }
    let members = zip(sized, ranges).map { Self.member($0.tensor, $1) }
    try Self.requireDistinct(tensors.map(\.name))
    let header = try Self.header(members, metadata: metadata)
    entries = zip(sized, ranges).map {
      Entry(
        tensor: $0.tensor,
        range: ($1.lowerBound + header.count)..<($1.upperBound + header.count))
    }
    self.header = header
    byteCount = header.count + end
  }

  private static func byteCount(of tensor: Tensor) throws(SafetensorsError) -> Int {
    do throws(SafetensorsError) {
      try SafetensorsHeader.checkName(tensor.name)
      guard tensor.type != .c128 else {
        throw SafetensorsError(.typeUnknown(tensor.type.rawValue))
      }
      return try EntryParser.byteCount(of: tensor.shape, tensor.type)
    } catch {
      throw SafetensorsError(error.problem, tensor: tensor.name)
    }
  }

  private static func alignedOrder(
    _ a: (tensor: Tensor, byteCount: Int), _ b: (tensor: Tensor, byteCount: Int)
  ) -> Bool {
    let ragged = (a.byteCount % 64 != 0, b.byteCount % 64 != 0)
    if ragged.0 != ragged.1 { return ragged.1 }
    if a.tensor.type.bitWidth != b.tensor.type.bitWidth {
      return a.tensor.type.bitWidth > b.tensor.type.bitWidth
    }
    return a.tensor.name < b.tensor.name
  }

  private static func requireDistinct(_ names: [TensorName]) throws(SafetensorsError) {
    var seen: Set<TensorName> = []
    for name in names where !seen.insert(name).inserted {
      throw SafetensorsError(.nameTwice, tensor: name)
    }
  }

  private static func member(_ tensor: Tensor, _ range: Range<Int>) -> JSONObject.Member {
    JSONObject.Member(
      key: tensor.name.string,
      value: [
        "dtype": .string(tensor.type.rawValue),
        "shape": .array(tensor.shape.map { JSONValue($0) }),
        "data_offsets": [JSONValue(range.lowerBound), JSONValue(range.upperBound)],
      ])
  }

  /// The length, the object, and spaces up to a multiple of 64.
  private static func header(
    _ members: [JSONObject.Member], metadata: [(key: String, value: String)]
  ) throws(SafetensorsError) -> [UInt8] {
    var members = members
    if !metadata.isEmpty {
      let strings = metadata.map { JSONObject.Member(key: $0.key, value: .string($0.value)) }
      members.insert(
        JSONObject.Member(key: "__metadata__", value: .object(JSONObject(strings))), at: 0)
    }
    var text = Array(JSONValue.object(JSONObject(members)).text().utf8)
    let padding = 63 - (8 + text.count + 63) % 64
    text += [UInt8](repeating: 0x20, count: padding)
    guard text.count <= SafetensorsFile.headerLimit else {
      throw SafetensorsError(.headerTooLarge(byteCount: UInt64(text.count)))
    }
    return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
  }
}
