import Tensors

/// How a source is read while a run trains: in which order, and what of it is held out.
///
/// Shards (files; of files of columns, row groups) come in a random order, anew in each epoch. Documents are
/// shuffled within blocks, one after another. All of it follows from the seed and from what the files hold.
package struct StreamPlan: Sendable {
  /// A part of a source that can be read without the rest.
  struct Shard: Sendable {
    var file: Int
    /// Of a file of columns; nil for a whole file.
    var group: Int?
  }

  package let request: TokenCache.Request
  let shards: [Shard]
  /// Tokens of a row, S + 1.
  let width: Int
  private let heldOut: Double
  private let seed: UInt64
  /// Tells the sources of a run apart.
  private let number: Int
  let epochLimit: Int
  /// Most documents of a block.
  let blockDocuments: Int

  /// Tokens after which a block ends, whatever its documents.
  static let blockTokens = 1 << 24

  private static let shardStream: UInt64 = 0x7368_6172_6400_0000  // "shard"
  private static let blockStream: UInt64 = 0x626C_6F63_6B00_0000  // "block"
  private static let heldOutStream: UInt64 = 0x6865_6C64_0000_0000  // "held"

  /// - Parameters:
  ///   - number: The source's place among those of the run.
  ///   - heldOut: Share of the documents that is held out, the same for any seed.
  ///   - epochLimit: How often all may be read; 0 is any number.
  ///   - buffer: Documents that are shuffled at a time.
  package init(
    _ request: TokenCache.Request, number: Int, sequenceLength: Int, heldOut: Double,
    seed: UInt64, epochLimit: Int, buffer: Int
  ) throws {
    self.request = request
    self.number = number
    width = sequenceLength + 1
    self.heldOut = heldOut
    self.seed = seed
    self.epochLimit = epochLimit
    blockDocuments = buffer
    shards = try request.files.enumerated().flatMap { index, file in
      guard let groups = try groupCount(of: file.path, file.kind) else {
        return [Shard(file: index, group: nil)]
      }
      return (0..<groups).map { Shard(file: index, group: $0) }
    }
    guard !shards.isEmpty else { throw DataError(.empty, request.path) }
  }

  var holdsOut: Bool { heldOut > 0 }

  /// Index of the shard at `place` of an epoch's order.
  func shard(_ place: Int, epoch: Int) -> Int {
    Permutation(
      count: shards.count, seed: seed,
      stream: Self.shardStream &+ UInt64(number) << 40 &+ UInt64(truncatingIfNeeded: epoch))[place]
  }

  /// The order of a block's `count` documents.
  func order(_ count: Int, block: Int, epoch: Int) -> Permutation {
    let stream = RandomStream(
      seed: seed, stream: Self.blockStream &+ UInt64(number) << 40)[
        UInt64(truncatingIfNeeded: epoch) << 32 ^ UInt64(truncatingIfNeeded: block)]
    return Permutation(count: count, seed: seed, stream: stream)
  }

  /// Whether a document of a shard is never trained on.
  func isHeldOut(_ document: Int, of shard: Int) -> Bool {
    guard holdsOut else { return false }
    let random = RandomStream(
      seed: 0, stream: Self.heldOutStream &+ UInt64(truncatingIfNeeded: shard))
    return random.uniform(at: UInt64(truncatingIfNeeded: document)) < heldOut
  }

  func reader(of shard: Int) throws -> ShardReader { try ShardReader(self, shard) }
}

/// Reads the documents of a shard, one after another.
struct ShardReader {
  private let plan: StreamPlan
  private let shard: Int
  private let path: String
  private var reader: DocumentReader
  /// Documents that were read or passed over.
  private(set) var document = 0
  /// Bad records that were left out.
  private(set) var skipped = 0

  init(_ plan: StreamPlan, _ index: Int) throws {
    self.plan = plan
    shard = index
    let file = plan.request.files[plan.shards[index].file]
    path = file.path
    var format = plan.request.format
    format.kind = file.kind
    reader = try DocumentReader(
      file.path, format: format, chat: plan.request.encoder.chat,
      skipsBadLines: plan.request.skipsBadRecords, group: plan.shards[index].group)
  }

  /// The tokens of the next document that is, or is not, held out; nil after the last.
  mutating func next(heldOut: Bool) throws -> [UInt32]? {
    while true {
      do {
        guard let piece = try reader.next() else { return nil }
        defer { document += 1 }
        if plan.isHeldOut(document, of: shard) != heldOut { continue }
        var tokens = try plan.request.tokens(of: piece, in: path)
        // Pieces of a long document are shuffled, and so are documents of their own.
        if !tokens.isEmpty { tokens[0] |= TokenMark.startsDocument }
        return tokens
      } catch let error as DataError where plan.request.skipsBadRecords && error.isOfOneRecord {
        document += 1
        skipped += 1
      }
    }
  }

  /// Passes over documents, so that `count` precede the next.
  mutating func skip(to count: Int) throws {
    while document < count {
      do {
        if try reader.next() == nil { return }
      } catch let error as DataError where plan.request.skipsBadRecords && error.isOfOneRecord {}
      document += 1
    }
  }
}
