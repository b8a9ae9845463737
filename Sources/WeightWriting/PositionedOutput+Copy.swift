package import ByteIO

extension PositionedOutput {
  /// Copies all of `region` to position `offset`, inside the kernel where that is possible.
  ///
  /// - Parameter advance: Called with the number of bytes of each piece that is copied.
  package func copy(_ region: ByteRegion, to offset: Int, _ advance: (Int) -> Void = { _ in })
    throws
  {
    for start in stride(from: 0, to: region.byteCount, by: WriteSpan.copied) {
      let count = min(WriteSpan.copied, region.byteCount - start)
      let copied = try copyInKernel(region, from: start, count: count, to: offset + start)
      if copied == 0, let part = region.subregion(start..<start + count) {
        var position = offset + start
        try part.forEachTile {
          try write($0, at: position)
          position += $0.byteCount
        }
      }
      advance(count)
    }
  }
}
