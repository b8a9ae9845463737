import JSON

/// Where a source that is streamed goes on: what a resumed run needs to read the same rows.
package struct StreamPlace: Equatable, Sendable {
  /// Times that all of it was read.
  package var epoch = 0
  /// Place, in the epoch's order of shards, of the one at which the block starts.
  package var shard = 0
  /// Documents of that shard before the block.
  package var document = 0
  /// Blocks of the epoch before this one.
  package var block = 0
  /// Documents of the block, in its order, that were read wholly.
  package var read = 0
  /// Tokens of the next one that were read.
  package var token = 0

  package init() {}

  private var numbers: [Int] { [epoch, shard, document, block, read, token] }

  var json: JSONValue { .array(numbers.map { JSONValue($0) }) }

  init?(_ value: JSONValue) {
    let numbers = value.array?.compactMap(\.integer) ?? []
    guard numbers.count == 6, numbers.allSatisfy({ $0 >= 0 }) else { return nil }
    (epoch, shard, document) = (numbers[0], numbers[1], numbers[2])
    (block, read, token) = (numbers[3], numbers[4], numbers[5])
  }
}
