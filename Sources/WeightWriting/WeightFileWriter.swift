package import ByteIO
package import ModelGraph
package import Safetensors
import Synchronization
package import Tensors

/// Writes one weight file with several threads: its spans in any order, its digests in file order.
///
/// SHA-256 runs through a file from start to end and so on one thread; copying and computing run on
/// any. Each thread takes, again and again, what the digest waits for: see `step`.
package final class WeightFileWriter: Sendable {
  private let layout: SafetensorsLayout
  private let spans: [WriteSpan]
  /// The tensors in the order of the file.
  private let parameters: [Parameter]
  private let reader: RecipeReader
  private let output: PositionedOutput
  private let allowOverflow: Bool
  private let queue: Mutex<Queue>
  private let chain: Mutex<DigestChain>

  /// Which spans are written.
  private struct Queue {
    var next = 0
    var written: [Bool]
    /// Spans to come, and values that overflowed, by tensor.
    var remaining: [Int]
    var overflow: [Overflow]
  }

  /// Creates the file at `path` and writes its header.
  package init(
    _ layout: SafetensorsLayout, _ parameters: [Parameter], reader: RecipeReader, at path: String,
    allowOverflow: Bool
  ) throws {
    self.layout = layout
    self.parameters = parameters
    self.reader = reader
    self.allowOverflow = allowOverflow
    var spans: [WriteSpan] = []
    for (i, entry) in layout.entries.enumerated() {
      spans += try parameters[i].spans(
        as: .element(parameters[i].type), entry: i, from: entry.range.lowerBound, reader: reader)
    }
    self.spans = spans
    var remaining = [Int](repeating: 0, count: parameters.count)
    for span in spans { remaining[span.entry] += 1 }
    queue = Mutex(
      Queue(
        written: [Bool](repeating: false, count: spans.count), remaining: remaining,
        overflow: [Overflow](repeating: .zero, count: parameters.count)))
    chain = Mutex(DigestChain(header: layout.header, count: parameters.count))
    output = try PositionedOutput(creating: path, byteCount: layout.byteCount)
    try output.write(layout.header.rawSpan, at: 0)
  }

  /// Whether every span is hashed, or a thread is about to.
  package var isHashed: Bool { chain.withLockIfAvailable { $0.next == spans.count } ?? false }

  /// Hashes the next span, if it is written and no other thread is hashing.
  ///
  /// - Returns: The bytes that were hashed; zero when there was nothing to do.
  package func hash() throws -> Int {
    try chain.withLockIfAvailable { chain in
      let next = chain.next
      guard next < spans.count, queue.withLock({ $0.written[next] }) else { return 0 }
      let span = spans[next]
      try chain.take(span, as: parameters[span.entry].type, from: output)
      return spans[next].range.count
    } ?? 0
  }

  /// Writes the next span.
  ///
  /// - Returns: The bytes that were written; zero when no span is left.
  package func write() throws -> Int {
    let index = queue.withLock { queue in
      defer { queue.next += 1 }
      return queue.next
    }
    guard index < spans.count else { return 0 }
    let span = spans[index]
    let overflow: Overflow
    switch span.content {
    case .copy(let region):
      try output.copy(region, to: span.range.lowerBound)
      overflow = .zero
    case .rows(let rows): overflow = try compute(span, rows)
    }
    output.startWriteback(span.range)
    try finished(index, overflow)
    return span.range.count
  }

  private func compute(_ span: WriteSpan, _ rows: Range<Int>) throws -> Overflow {
    let parameter = parameters[span.entry]
    var bytes = [UInt8](repeating: 0, count: span.range.count)
    let overflow = try parameter.compute(
      as: .element(parameter.type), rows: rows, reader: reader, into: &bytes)
    try output.write(bytes.rawSpan, at: span.range.lowerBound)
    return overflow
  }

  /// Notes that span `index` is written; throws after a tensor's last one if a cast overflowed.
  private func finished(_ index: Int, _ overflow: Overflow) throws {
    let entry = spans[index].entry
    let sum = queue.withLock { queue -> Overflow? in
      queue.written[index] = true
      queue.overflow[entry] += overflow
      queue.remaining[entry] -= 1
      return queue.remaining[entry] == 0 ? queue.overflow[entry] : nil
    }
    guard let sum, sum.count > 0, !allowOverflow else { return }
    throw ConversionError(
      .overflow(sum, .element(parameters[entry].type)), tensor: parameters[entry].name.string)
  }

  /// Forces the bytes to the disk, and gives the digests of the file and of its tensors in order, and
  /// which of these hold NaN or infinite values.
  package func finish() throws -> (file: Digest, tensors: [Digest], nonFinite: [Bool]) {
    // Two threads may each have left the last spans to the other.
    while try hash() > 0 {}
    try output.finish()
    return chain.withLock { $0.finish() }
  }
}

/// What one pass over the bytes of a weight file tells: its digest and that of each of its tensors, and
/// which of these hold values that are not finite.
private struct DigestChain: ~Copyable {
  private var hash = SHA256Pair()
  private var entry = 0
  private var digests: [Digest]
  private var nonFinite: [Bool]
  private var buffer = [UInt8](repeating: 0, count: SHA256.tile)
  /// Index of the span that must come next.
  private(set) var next = 0

  init(header: [UInt8], count: Int) {
    // What an empty tensor has.
    digests = [Digest](repeating: SHA256.digest(of: []), count: count)
    nonFinite = [Bool](repeating: false, count: count)
    hash.updateWhole(header.rawSpan)
  }

  mutating func take(
    _ span: WriteSpan, as type: ElementType, from output: PositionedOutput
  ) throws {
    if span.entry != entry { endTensor() }
    entry = span.entry
    var buffer: [UInt8] = []
    swap(&buffer, &self.buffer)
    defer { swap(&buffer, &self.buffer) }
    for start in stride(from: span.range.lowerBound, to: span.range.upperBound, by: SHA256.tile) {
      let count = min(SHA256.tile, span.range.upperBound - start)
      var all = buffer.mutableRawSpan
      var part = all._mutatingExtracting(0..<count)
      try output.read(at: start, into: &part)
      hash.update(part.bytes)
      if !nonFinite[entry] { nonFinite[entry] = try type.hasNonFinite(part.bytes) }
    }
    next += 1
  }

  private mutating func endTensor() {
    digests[entry] = hash.finishPart()
  }

  mutating func finish() -> (file: Digest, tensors: [Digest], nonFinite: [Bool]) {
    if !digests.isEmpty, next > 0 { endTensor() }
    return (hash.finish(), digests, nonFinite)
  }
}
