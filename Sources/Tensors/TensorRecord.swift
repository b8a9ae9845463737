public import ByteIO

/// A tensor's name; compared as bytes.
public typealias TensorName = ExactString

/// What a file says of one tensor: everything but its bytes.
public struct TensorRecord: Equatable, Sendable {
  /// As the file spells it; compared as bytes.
  public package(set) var name: TensorName
  /// How the values are stored.
  public package(set) var type: StorageType
  /// Outermost dimension first, the last one contiguous.
  public package(set) var shape: [Int]
  /// Bytes of the whole tensor, row-major.
  public package(set) var byteCount: Int
  /// Path of the file that holds it.
  public package(set) var file: String
  /// Position of the first byte in `file`; nil when the bytes are not there as they are (deflated,
  /// strided or big-endian storage).
  public package(set) var offset: Int?
  /// How the file stores the values as codes that other tensors give their meaning, in words; nil
  /// when the bytes alone are the values.
  public package(set) var encoding: String?

  package init(
    name: TensorName, type: StorageType, shape: [Int], byteCount: Int, file: String, offset: Int?,
    encoding: String? = nil
  ) {
    self.name = name
    self.type = type
    self.shape = shape
    self.byteCount = byteCount
    self.file = file
    self.offset = offset
    self.encoding = encoding
  }

  /// Number of elements; the reader has checked that it fits.
  public var elementCount: Int { shape.reduce(1, &*) }

  /// How many rows of `length` elements the tensor is: those along its first axis or, where these are
  /// longer, along its first axes together, never less than the last axis each. Nil when none fit.
  package func rowCount(length: Int) -> Int? {
    var count = shape.first ?? 1
    var rest = shape.dropFirst()
    while rest.reduce(1, &*) != length {
      guard rest.count > 1, let first = rest.popFirst() else { return nil }
      count &*= first
    }
    return count
  }
}

/// An open weight file, whatever its format: the table of its tensors, and their bytes on demand.
package protocol TensorContainer: Sendable {
  /// Tensors in order of their position in the file.
  var tensors: [TensorRecord] { get }

  /// What was odd but allowed.
  var warnings: [Warning] { get }

  /// Fills `bytes` with the stored bytes of tensor `index` from `offset` on, as if the tensor lay
  /// row-major and little-endian in one piece.
  func read(_ index: Int, at offset: Int, into bytes: inout MutableRawSpan) throws

  /// The tensor's bytes where they lie in the file, when they lie there as `read` would give them.
  func region(of index: Int) -> ByteRegion?
}
