import ByteIO
package import Tensors

/// Where everything will lie in a PyTorch file that is still to be written: a zip archive as
/// `torch.save` makes it, the same bytes for the same request (PT-60 to PT-65).
package struct TorchLayout: Sendable {
  /// Multiple at which every record's bytes begin, PyTorch's own.
  package static let alignment = 64
  /// The folder in which all records lie.
  static let root = "archive/"

  /// A tensor to be written.
  package struct Tensor: Equatable, Sendable {
    package var name: TensorName
    package var type: ElementType
    package var shape: [Int]
    /// An earlier tensor of the same type and shape, whose storage this one shares.
    package var tie: TensorName?

    package init(name: TensorName, type: ElementType, shape: [Int], tie: TensorName? = nil) {
      self.name = name
      self.type = type
      self.shape = shape
      self.tie = tie
    }
  }

  /// A tensor with a storage of its own, and its place.
  package struct Entry: Equatable, Sendable {
    package var tensor: Tensor
    /// Position in the file.
    package var range: Range<Int>
  }

  /// A file of the archive; without contents, it holds a tensor.
  struct Record: Sendable {
    var entry: ZipEntry
    var contents: [UInt8]?
  }

  /// In the order in which the bytes must be written: the tensors of the request without the ties.
  package let entries: [Entry]
  /// Size of the whole file.
  package let byteCount: Int
  /// All files of the archive, in their order.
  let records: [Record]

  /// - Throws: When PyTorch has no such type, a name is used twice, or the sizes exceed 64 bits.
  package init(_ tensors: [Tensor]) throws(TorchError) {
    var keys: [TensorName: String] = [:]
    var own: [(tensor: Tensor, byteCount: Int)] = []
    var named: [(tensor: Tensor, key: String)] = []
    for tensor in tensors {
      let count = try Self.byteCount(of: tensor)
      let shared = tensor.tie.flatMap { keys[$0] }
      let key = shared ?? String(own.count)
      guard keys.updateValue(key, forKey: tensor.name) == nil else {
        throw TorchError(.tensor(.nameTwice), tensor: tensor.name)
      }
      named.append((tensor, key))
      if shared == nil { own.append((tensor, count)) }
    }
    var archive = ZipLayout(root: Self.root)
    archive.append("data.pkl", try PickleWriter(named).bytes)
    archive.append("byteorder", Array("little".utf8))
    for (i, (_, count)) in own.enumerated() { archive.append("data/\(i)", byteCount: count) }
    archive.append("version", Array("3\n".utf8))
    records = archive.records
    byteCount = archive.end + zipDirectory(records.map(\.entry), at: archive.end).count
    entries = zip(own, records.filter { $0.contents == nil }).map {
      Entry(tensor: $0.tensor, range: $1.entry.range)
    }
  }

  private static func byteCount(of tensor: Tensor) throws(TorchError) -> Int {
    guard let elements = elementCount(of: tensor.shape),
      let count = StorageType.element(tensor.type).byteCount(elements: elements),
      // Far above any disk, and sums with the headers' sizes still fit.
      count < 1 << 50
    else { throw TorchError(.tensor(.overflow), tensor: tensor.name) }
    return count
  }
}

/// The files of a zip archive that is being planned, one after another.
private struct ZipLayout {
  var root: String
  private(set) var records: [TorchLayout.Record] = []
  /// Where the next local header will be.
  private(set) var end = 0

  init(root: String) { self.root = root }

  mutating func append(_ name: String, _ contents: [UInt8]) {
    append(name, byteCount: contents.count, contents)
  }

  mutating func append(_ name: String, byteCount: Int, _ contents: [UInt8]? = nil) {
    var entry = ZipEntry(
      name: root + name, method: .stored, checksum: 0, compressedCount: byteCount,
      byteCount: byteCount, headerOffset: end, hasDescriptor: true)
    entry.dataOffset = end + entry.localHeader(alignment: TorchLayout.alignment).count
    records.append(TorchLayout.Record(entry: entry, contents: contents))
    end = entry.range.upperBound + entry.descriptor.count
  }
}
