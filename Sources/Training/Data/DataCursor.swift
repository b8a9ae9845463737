/// How far a run has read.
package struct DataCursor: Equatable, Sendable {
  /// Rows read from each source.
  package var perSource: [Int]
  /// Where each source that is streamed goes on; nil for the others.
  package var streams: [StreamPlace?]

  package init(perSource: [Int], streams: [StreamPlace?] = []) {
    self.perSource = perSource
    self.streams = streams + perSource.dropFirst(streams.count).map { _ in nil }
  }

  /// Rows read in all.
  package var rowCount: Int { perSource.reduce(0, +) }
}
