import ByteIO
import ModelGraph
import Recurrence
import Tensors

/// Writes one tensor of a weight file and hashes its bytes.
struct TensorWriter: Sendable {
  let reader: RecipeReader
  let output: PositionedOutput
  let allowOverflow: Bool
  let advance: @Sendable (Int) -> Void

  /// Bytes that are held at a time, beside a recipe's own tile.
  static let tile = 1 << 20

  func write(_ parameter: Parameter, to range: Range<Int>) throws -> Digest {
    let regions = try reader.regions(
      parameter.recipe, shape: parameter.shape, type: parameter.type)
    guard let regions else { return try compute(parameter, at: range.lowerBound) }
    var hash = SHA256()
    var offset = range.lowerBound
    for region in regions {
      try copy(region, to: offset, hashing: &hash)
      offset += region.byteCount
    }
    return hash.finish()
  }

  /// Copies a region, and hashes what arrived.
  private func copy(_ region: ByteRegion, to offset: Int, hashing hash: inout SHA256) throws {
    let buffer = min(Self.tile, region.byteCount)
    var bytes = [UInt8](repeating: 0, count: buffer)
    // Runs of several tiles, so that the kernel has something to do and the pages are still warm.
    let run = 8 * Self.tile
    for start in stride(from: 0, to: region.byteCount, by: run) {
      let count = min(run, region.byteCount - start)
      let copied = try output.copyInKernel(
        region, from: start, count: count, to: offset + start)
      for tile in stride(from: start, to: start + count, by: Self.tile) {
        let length = min(Self.tile, start + count - tile)
        var all = bytes.mutableRawSpan
        var part = all._mutatingExtracting(0..<length)
        if copied > 0 {
          try output.read(at: offset + tile, into: &part)
        } else {
          try region.read(at: tile, into: &part)
          try output.write(part.bytes, at: offset + tile)
        }
        hash.update(part.bytes)
        advance(length)
      }
      output.startWriteback(offset + start..<offset + start + count)
    }
  }

  /// Computes a tensor a few rows at a time.
  private func compute(_ parameter: Parameter, at offset: Int) throws -> Digest {
    var hash = SHA256()
    var overflow = Overflow.zero
    let count = parameter.shape.first ?? 1
    let rowBytes = max(1, count == 0 ? 1 : parameter.byteCount / count)
    // A multiple of eight rows fills whole bytes in every type.
    let step = max(8, Self.tile / rowBytes & ~7)
    var done = 0
    for first in stride(from: 0, to: count, by: step) {
      let rows = first..<min(count, first + step)
      let size = rows.count * parameter.byteCount / count
      var bytes = [UInt8](repeating: 0, count: size)
      var span = bytes.mutableRawSpan
      overflow += try reader.read(
        parameter.recipe, shape: parameter.shape, type: parameter.type, rows: rows, into: &span)
      try output.write(bytes.rawSpan, at: offset + done)
      hash.update(bytes.rawSpan)
      done += size
      advance(size)
    }
    guard overflow.count == 0 || allowOverflow else {
      throw PackageError(
        .overflow(
          count: overflow.count, maximum: overflow.maximum, type: parameter.type.description),
        tensor: parameter.name.string)
    }
    return hash.finish()
  }
}
