package import ByteIO
public import JSON
public import Tensors

/// An open safetensors file: the table in its header, and the tensors' bytes on demand.
///
/// Rules are numbered as in `formats/safetensors.md`. Opening reads the header alone.
public struct SafetensorsFile: TensorContainer {
  /// Longest header that is read, in bytes (ST-2).
  package static let headerLimit = 100_000_000
  /// Longest tensor name, in bytes (ST-6).
  package static let nameLimit = 4096
  /// Most dimensions of a tensor (ST-9).
  package static let rankLimit = 64

  /// In order of their position in the file.
  public let tensors: [TensorRecord]
  /// The strings of `__metadata__` in their order; nil when the file has none.
  public let metadata: JSONObject?
  package let warnings: [Warning]
  private let region: ByteRegion
  /// Position in `region` of each tensor's bytes.
  private let ranges: [Range<Int>]

  /// Opens the file at `path`: reads and checks its header.
  ///
  /// - Throws: A `DiagnosedError`.
  public init(path: String) throws { try self.init(ByteRegion(path: path)) }

  /// Reads and checks the header of the file in `region`.
  package init(_ region: ByteRegion) throws(SafetensorsError) {
    do throws(SafetensorsError) {
      let headerCount = try Self.headerLength(of: region)
      let text = try Self.read(region, 8..<(8 + headerCount))
      let header = try SafetensorsHeader(text, dataCount: region.byteCount - 8 - headerCount)
      let dataStart = 8 + headerCount
      ranges = header.entries.map {
        (dataStart + $0.range.lowerBound)..<(dataStart + $0.range.upperBound)
      }
      tensors = header.entries.map { entry in
        TensorRecord(
          name: entry.name, type: .element(entry.type), shape: entry.shape,
          byteCount: entry.range.count, file: region.path,
          offset: region.start + dataStart + entry.range.lowerBound)
      }
      metadata = header.metadata
      warnings = header.warnings.map { warning in
        var warning = warning
        warning.file = region.path
        return warning
      }
      self.region = region
    } catch {
      var error = error
      error.path = region.path
      throw error
    }
  }

  /// Fills `bytes` with those of tensor `index` from `offset` on, row-major and little-endian.
  public func read(_ index: Int, at offset: Int, into bytes: inout MutableRawSpan) throws {
    guard let tensor = self.region(of: index) else {
      preconditionFailure("the header's spans lie within the file")
    }
    try tensor.read(at: offset, into: &bytes)
  }

  package func region(of index: Int) -> ByteRegion? { region.subregion(ranges[index]) }

  /// ST-1, ST-2: the length of the header, checked against the file.
  private static func headerLength(of region: ByteRegion) throws(SafetensorsError) -> Int {
    guard region.byteCount >= 8 else {
      throw SafetensorsError(.tooShort(byteCount: region.byteCount), at: 0)
    }
    let prefix = try read(region, 0..<min(FileSignature.prefixLength, region.byteCount))
    let length = prefix[0..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let left = region.byteCount - 8
    if length > UInt64(left) || length > UInt64(headerLimit) || (length > 0 && prefix[8] == 0),
      let signature = FileSignature(prefix), signature != .safetensors
    {
      throw SafetensorsError(.notSafetensors(signature), at: 0)
    }
    guard length > 0 else { throw SafetensorsError(.headerEmpty, at: 0) }
    guard let count = Int(exactly: length), count <= headerLimit else {
      throw SafetensorsError(.headerTooLarge(byteCount: length), at: 0)
    }
    guard count <= left else {
      throw SafetensorsError(.headerPastEnd(byteCount: count, left: left), at: 0)
    }
    return count
  }

  private static func read(
    _ region: ByteRegion, _ range: Range<Int>
  ) throws(SafetensorsError) -> [UInt8] {
    do { return try region.bytes(range) } catch { throw SafetensorsError(.file(error)) }
  }
}
