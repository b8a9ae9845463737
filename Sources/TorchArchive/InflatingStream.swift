import ByteIO
import Compression

/// The bytes of a deflated entry from its start on; nothing is made beyond the declared size.
struct InflatingStream: ~Copyable {
  let entry: ZipEntry
  /// Bytes given so far.
  private(set) var position = 0
  private let region: ByteRegion
  private var inflater = Inflater()
  private var input: [UInt8] = []
  private var inputStart = 0
  /// Position in the archive of the next bytes to be read.
  private var next: Int
  private var checksum: UInt32 = 0
  private var isDone = false

  init(_ entry: ZipEntry, in region: ByteRegion) {
    self.entry = entry
    self.region = region
    next = entry.range.lowerBound
  }

  /// Fills `bytes`, of which the entry must have as many left; after the last, checks the end.
  mutating func read(into bytes: inout MutableRawSpan) throws(TorchError) {
    precondition(bytes.byteCount <= entry.byteCount - position, "more than is left")
    var filled = 0
    while filled < bytes.byteCount {
      guard !isOver else { throw wrongSize }
      filled += try step(into: &bytes, at: filled)
    }
    position += filled
    checksum = crc32(bytes.bytes, after: checksum)
    if position == entry.byteCount { try checkEnd() }
  }

  /// Steps over `count` bytes.
  mutating func skip(_ count: Int) throws(TorchError) {
    var left = count
    var workspace = [UInt8](repeating: 0, count: min(left, 1 << 16))
    while left > 0 {
      if workspace.count > left { workspace.removeLast(workspace.count - left) }
      var bytes = workspace.mutableRawSpan
      try read(into: &bytes)
      left -= workspace.count
    }
  }

  /// Whether no more bytes can come.
  private var isOver: Bool {
    isDone || (inputStart == input.count && next == entry.range.upperBound)
  }

  /// Decodes once, after fetching input when there is none left; gives the number of bytes made.
  private mutating func step(
    into bytes: inout MutableRawSpan, at filled: Int
  ) throws(TorchError) -> Int {
    if inputStart == input.count {
      let end = min(entry.range.upperBound, next + 1 << 16)
      input = try region.torchBytes(next..<end)
      inputStart = 0
      next = end
    }
    let source = input
    let result = inflater.inflate(source.rawSpan, from: inputStart, into: &bytes, at: filled)
    inputStart += result.taken
    if result.status == .damaged { throw fail(.deflate(entry: entry.name)) }
    isDone = result.status == .done
    return result.made
  }

  /// The stream must end here, with all input taken and the right checksum.
  private mutating func checkEnd() throws(TorchError) {
    var extra: [UInt8] = [0]
    while !isOver {
      var bytes = extra.mutableRawSpan
      guard try step(into: &bytes, at: 0) == 0 else { throw wrongSize }
    }
    guard isDone, inputStart == input.count, next == entry.range.upperBound else { throw wrongSize }
    try entry.require(checksum, in: region)
  }

  private var wrongSize: TorchError {
    fail(.inflatedSize(entry: entry.name, expected: entry.byteCount))
  }

  private func fail(_ problem: ZipProblem) -> TorchError {
    TorchError(problem, in: region, at: entry.headerOffset)
  }
}
