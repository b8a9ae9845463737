/// Makes the rows of a source that is streamed, one after another, from any place on.
struct RowGenerator {
  private let plan: StreamPlan
  /// After the last row that was made.
  private(set) var place: StreamPlace
  /// Documents of the block at `place`, as they lie; nil before it is read.
  private var block: [[UInt32]]?
  private var order: Permutation?
  /// Where the next block starts: its shard's place in the epoch's order, and how much of it was read.
  private var reader: ShardReader?
  private var shard: Int
  /// Bad records that were left out.
  private(set) var skipped = 0

  init(_ plan: StreamPlan, from place: StreamPlace) {
    self.plan = plan
    self.place = place
    shard = place.shard
  }

  /// The next row; nil when all was read as often as it may be.
  ///
  /// - Throws: `DataError(.tooFewTokens)` for a source that has not enough for a row.
  mutating func next() throws -> [UInt32]? {
    var row: [UInt32] = []
    row.reserveCapacity(plan.width)
    var emptyEpochs = 0
    while row.count < plan.width {
      if block == nil { try readBlock() }
      guard let block, let order, place.read < block.count else {
        let before = place.epoch
        if !startNextBlock() { return nil }
        if place.epoch > before {
          emptyEpochs += 1
          // A row may be made of several epochs, but not of nothing.
          if emptyEpochs > plan.width {
            throw DataError(
              .tooFewTokens(found: row.count, needed: plan.width), plan.request.path)
          }
        }
        continue
      }
      let document = block[order[place.read]]
      let part = document[place.token..<min(document.count, place.token + plan.width - row.count)]
      row += part
      place.token += part.count
      if place.token == document.count {
        place.read += 1
        place.token = 0
      }
    }
    return row
  }

  /// Moves on to the block after this; false when there is none.
  private mutating func startNextBlock() -> Bool {
    block = nil
    order = nil
    var next = StreamPlace()
    if shard < plan.shards.count {
      (next.epoch, next.shard, next.document) = (place.epoch, shard, reader?.document ?? 0)
      next.block = place.block + 1
    } else {
      next.epoch = place.epoch + 1
      if plan.epochLimit > 0, next.epoch >= plan.epochLimit { return false }
      (shard, reader) = (0, nil)
    }
    place = next
    return true
  }

  /// Reads documents until the block is full or the epoch ends.
  private mutating func readBlock() throws {
    var documents: [[UInt32]] = []
    var tokens = 0
    if reader == nil, shard < plan.shards.count {
      reader = try open()
      try reader?.skip(to: place.document)
    }
    while documents.count < plan.blockDocuments, tokens < StreamPlan.blockTokens,
      shard < plan.shards.count
    {
      if reader == nil { reader = try open() }
      guard let document = try reader?.next(heldOut: false) else {
        skipped += reader?.skipped ?? 0
        reader = nil
        shard += 1
        continue
      }
      if document.isEmpty { continue }
      tokens += document.count
      documents.append(document)
    }
    block = documents
    order =
      documents.isEmpty
      ? nil : plan.order(documents.count, block: place.block, epoch: place.epoch)
  }

  private func open() throws -> ShardReader {
    try plan.reader(of: plan.shard(shard, epoch: place.epoch))
  }
}
