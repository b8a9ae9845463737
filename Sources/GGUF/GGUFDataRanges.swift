import ByteIO
import Tensors

/// Where the tensors' bytes lie in the data of a GGUF file.
struct GGUFDataRanges {
  /// Each tensor's range in the data.
  private(set) var ranges: [Range<Int>] = []
  /// Bytes that the tensors take, padding between them included but not after the last.
  private(set) var byteCount = 0

  /// Checks the offsets of `tensors`: aligned (GG-13), within the data (GG-15), and one after
  /// another in the order of the list without holes (GG-14).
  ///
  /// - Parameter dataCount: Bytes from the start of the data to the end of the file.
  init(
    _ tensors: [GGUFHeader.TensorInfo], alignment: Int, dataCount: Int
  ) throws(GGUFError) {
    for tensor in tensors {
      let offset = tensor.dataOffset
      guard offset % UInt64(alignment) == 0 else {
        throw tensor.error(.offsetUnaligned(offset, alignment: alignment))
      }
      guard offset <= UInt64(dataCount) else {
        throw tensor.error(.offsetPastEnd(offset, byteCount: dataCount))
      }
      let start = Int(offset)
      guard tensor.byteCount <= dataCount - start else {
        let (end, overflow) = start.addingReportingOverflow(tensor.byteCount)
        throw tensor.error(.dataShort(expected: overflow ? .max : end, actual: dataCount))
      }
      ranges.append(start..<start + tensor.byteCount)
    }
    for (tensor, range) in zip(tensors, ranges) {
      let expected = aligned(byteCount, to: alignment)
      if range.lowerBound != expected {
        throw Self.diagnose(tensors, ranges, alignment: alignment)
          ?? tensor.error(.offsetOrder(tensor.dataOffset, expected: expected))
      }
      byteCount = range.upperBound
    }
  }

  /// The overlap or hole of a layout that is not in order; nil when only the order is wrong.
  private static func diagnose(
    _ tensors: [GGUFHeader.TensorInfo], _ ranges: [Range<Int>], alignment: Int
  ) -> GGUFError? {
    let order = tensors.indices.sorted {
      (ranges[$0].lowerBound, ranges[$0].upperBound, $0)
        < (ranges[$1].lowerBound, ranges[$1].upperBound, $1)
    }
    var last: Int?
    for i in order {
      let end = last.map { ranges[$0].upperBound } ?? 0
      if let last, ranges[i].lowerBound < end, !ranges[i].isEmpty {
        return tensors[i].error(.overlap(with: tensors[last].name, ranges[i], ranges[last]))
      }
      if ranges[i].lowerBound > aligned(end, to: alignment) {
        return tensors[i].error(.hole(from: end, to: ranges[i].lowerBound))
      }
      if !ranges[i].isEmpty { last = i }
    }
    return nil
  }
}

/// The first multiple of `alignment`, a power of two, that is not below `count`.
///
/// The callers' counts are positions in a file and `alignment` is small, so nothing overflows.
func aligned(_ count: Int, to alignment: Int) -> Int {
  (count + alignment - 1) & ~(alignment - 1)
}

extension GGUFHeader.TensorInfo {
  fileprivate func error(_ problem: GGUFError.Problem) -> GGUFError {
    GGUFError(problem, at: position, tensor: name)
  }
}
