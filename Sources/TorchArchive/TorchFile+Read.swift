import ByteIO
import Tensors

extension TorchFile {
  /// Fills `bytes` with those of tensor `index` from `offset` on, row-major and little-endian.
  public func read(
    _ index: Int, at offset: Int, into bytes: inout MutableRawSpan
  ) throws {
    if let region = region(of: index) { return try region.read(at: offset, into: &bytes) }
    let view = views[index]
    let count = bytes.byteCount
    guard offset >= 0, count <= view.byteCount, offset <= view.byteCount - count else {
      throw FileError(
        path, .shortRead(wanted: count, got: max(0, view.byteCount - offset)), at: offset)
    }
    // Elements come whole; what is cut off is their outer bytes.
    let size = view.elementSize
    let first = offset / size
    let elements = first..<((offset + count + size - 1) / size)
    let gathered = try gather(view, elements)
    try ByteRegion(gathered, path: path).read(at: offset - first * size, into: &bytes)
  }

  /// Elements of a view, row-major and little-endian.
  private func gather(_ view: TensorView, _ elements: Range<Int>) throws(TorchError) -> [UInt8] {
    guard let source = storages[view.storage] else {
      throw TorchError(.tensor(.storageMissing(key: view.storage)), path: path)
    }
    var bytes: [UInt8]
    if view.isContiguous {
      bytes = [UInt8](repeating: 0, count: elements.count * view.elementSize)
      try fetch(source, at: (view.offset + elements.lowerBound) * view.elementSize, &bytes)
    } else {
      let reader = try StridedReader(view, elements) { (position, part) throws(TorchError) in
        try fetch(source, at: position, &part)
      }
      bytes = reader.result
    }
    if isBigEndian { bytes.swapBytes(of: view.type) }
    return bytes
  }

  /// Fills `bytes` with a storage's bytes from `position` on.
  private func fetch(
    _ source: StorageSource, at position: Int, _ bytes: inout [UInt8]
  ) throws(TorchError) {
    var raw = bytes.mutableRawSpan
    switch source.content {
    case .plain(let region):
      do { try region.read(at: position, into: &raw) } catch {
        throw TorchError(.file(error), path: path)
      }
    case .deflated(let entry): try inflated.read(entry, at: position, into: &raw)
    }
  }

  /// Reads the whole file, and verifies the CRC-32 of every record, tensors included.
  ///
  /// Opening verifies those of the pickle and the small records alone; the older layouts have none.
  package func check() throws(TorchError) {
    for entry in zip?.entries ?? [] { try entry.check(in: region) }
  }
}
