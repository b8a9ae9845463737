import JSON

/// How far a run has come: everything a resumed run needs beside its buffers.
package struct TrainerProgress: Equatable, Sendable {
  /// Steps done.
  package var step = 0
  package var microBatches = 0
  package var tokens = 0
  /// Steps whose gradients were not finite.
  package var skipped = 0
  package var skippedInARow = 0
  /// Steps that the optimizer has applied.
  package var updates = 0
  package var flops = 0.0
  package var fullFLOPs = 0.0
  package var seconds = 0.0
  package var cursor: DataCursor
  /// Best mean held-out loss, and the step it was seen at.
  package var bestLoss: Double?
  package var bestStep: Int?

  package init(cursor: DataCursor) { self.cursor = cursor }

  var json: JSONValue {
    [
      "step": JSONValue(step), "micro_batches": JSONValue(microBatches),
      "tokens": JSONValue(tokens), "skipped": JSONValue(skipped),
      "skipped_in_a_row": JSONValue(skippedInARow), "updates": JSONValue(updates),
      "flops": JSONValue(flops), "flops_full": JSONValue(fullFLOPs), "seconds": JSONValue(seconds),
      "rows_read": .array(cursor.perSource.map { JSONValue($0) }),
      "streams": .array(cursor.streams.map { $0?.json ?? .null }),
      "best_loss": bestLoss.map { JSONValue($0) } ?? .null, "best_step": JSONValue(bestStep),
    ]
  }

  init?(_ value: JSONValue) {
    guard let step = value["step"]?.integer, let microBatches = value["micro_batches"]?.integer,
      let tokens = value["tokens"]?.integer, let skipped = value["skipped"]?.integer,
      let inARow = value["skipped_in_a_row"]?.integer, let updates = value["updates"]?.integer,
      let flops = value["flops"]?.double, let full = value["flops_full"]?.double,
      let seconds = value["seconds"]?.double, let rows = value["rows_read"]?.array
    else { return nil }
    let places = (value["streams"]?.array ?? []).map { $0.isNull ? nil : StreamPlace($0) }
    guard places.count <= rows.count else { return nil }
    self.init(cursor: DataCursor(perSource: rows.compactMap(\.integer), streams: places))
    self.step = step
    self.microBatches = microBatches
    self.tokens = tokens
    self.skipped = skipped
    skippedInARow = inARow
    self.updates = updates
    self.flops = flops
    fullFLOPs = full
    self.seconds = seconds
    bestLoss = value["best_loss"]?.double
    bestStep = value["best_step"]?.integer
  }
}
