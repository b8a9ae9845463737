/// The rows of one source, S + 1 tokens each: some to train on, in an order of their own, some held out.
package protocol SourceRows: Sendable {
  /// The file that the user named.
  var path: String { get }
  /// Where a source that is streamed starts; nil for one whose rows are found by their number.
  var start: StreamPlace? { get }

  /// The row to train on after `count` others, and after `place`, which moves on.
  ///
  /// - Throws: `DataError(.exhausted)` when all rows were read as often as they may be.
  func next(after count: Int, _ place: inout StreamPlace?) throws -> [UInt32]

  /// Rows that are never trained on, at most `limit`.
  func heldOut(limit: Int) throws -> [[UInt32]]

  /// Throws `TrainingError(.nothingLearned)` when no token of the rows to train on is learned.
  func requireLearned() throws
}

extension [UInt32] {
  /// Whether a row of these tokens learns anything; nothing precedes its first.
  var isLearned: Bool { dropFirst().contains { $0 & TokenMark.notLearned == 0 } }
}
