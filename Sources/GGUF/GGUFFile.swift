package import ByteIO
public import Tensors

/// An open GGUF file: its metadata, its table of tensors, and their bytes on demand.
///
/// Rules are numbered as in `formats/gguf.md`. Opening reads the header alone.
public struct GGUFFile: TensorContainer {
  /// Largest `general.alignment`, in bytes (GG-8).
  package static let alignmentLimit = 1 << 20
  /// Longest tensor name, in bytes (GG-9).
  package static let nameLimit = 63
  /// Most dimensions of a tensor (GG-10).
  package static let rankLimit = 4

  /// 2 or 3; the layout is the same.
  public let version: Int
  /// All entries in their order in the file.
  public let metadata: [(key: String, value: GGUFValue)]
  /// In order of their position in the file.
  public let tensors: [TensorRecord]
  package let warnings: [Warning]
  /// Bytes at whose multiples data begin.
  package let alignment: Int

  private let region: ByteRegion
  private let index: [ExactString: Int]
  /// Position in `region` of each tensor's bytes.
  private let ranges: [Range<Int>]

  /// Opens the file at `path`: reads and checks its header.
  ///
  /// - Throws: A `DiagnosedError`.
  public init(path: String) throws { try self.init(ByteRegion(path: path)) }

  /// Reads and checks the header of the file in `region`.
  package init(_ region: ByteRegion) throws(GGUFError) {
    do throws(GGUFError) {
      let header = try GGUFHeader(region)
      // A file that ends with its header, unpadded, can only have empty tensors: they lie at its end.
      let dataStart = min(
        aligned(header.byteCount, to: header.alignment), region.byteCount)
      let dataCount = region.byteCount - dataStart
      let data = try GGUFDataRanges(
        header.tensors, alignment: header.alignment, dataCount: dataCount)
      ranges = data.ranges.map { dataStart + $0.lowerBound..<dataStart + $0.upperBound }
      tensors = zip(header.tensors, ranges).map { tensor, range in
        TensorRecord(
          name: tensor.name, type: tensor.type, shape: tensor.shape, byteCount: range.count,
          file: region.path, offset: region.start + range.lowerBound)
      }
      var warnings = header.warnings
      let trailing = dataCount - aligned(data.byteCount, to: header.alignment)
      if trailing > 0 {
        warnings.append(
          Warning(
            "gguf.trailing", "\(trailing) bytes follow the last tensor",
            offset: region.byteCount - trailing))
      }
      self.warnings = warnings.map { $0.located(in: region) }
      version = Int(header.version)
      metadata = header.metadata
      index = header.index
      alignment = header.alignment
      self.region = region
    } catch {
      var error = error
      error.path = region.path
      error.position = error.position.map { region.start + $0 }
      throw error
    }
  }

  /// Path of the file.
  package var path: String { region.path }

  /// The metadata value of `key`.
  public subscript(key: String) -> GGUFValue? {
    index[ExactString(key)].map { metadata[$0].value }
  }

  /// Fills `bytes` with those of tensor `index` from `offset` on, as they are stored.
  public func read(_ index: Int, at offset: Int, into bytes: inout MutableRawSpan) throws {
    guard let tensor = self.region(of: index) else {
      preconditionFailure("the table's ranges lie within the file")
    }
    try tensor.read(at: offset, into: &bytes)
  }

  package func region(of index: Int) -> ByteRegion? { region.subregion(ranges[index]) }
}

extension Warning {
  fileprivate func located(in region: ByteRegion) -> Warning {
    var warning = self
    warning.file = region.path
    warning.offset = offset.map { region.start + $0 }
    return warning
  }
}
