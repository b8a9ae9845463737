import ByteIO
package import Tensors

/// The processes that train one model together, each on micro-batches of its own.
///
/// Every rank calls the same functions in the same order. The bundled trainer runs alone; another
/// transport conforms to this and nothing else changes.
package protocol GradientExchange {
  /// This process's number, from 0.
  var rank: Int { get }
  var worldSize: Int { get }

  /// What a message calls a rank: its number and its machine.
  func name(of rank: Int) -> String

  /// Starts to replace the floats of `range` by their sum over all ranks; nobody else may touch
  /// them before `finish` returns.
  func begin(_ values: Buffer, _ range: Range<Int>)

  /// Seconds so far in which sums were under way, whether or not this rank waited for them.
  var activeSeconds: Double { get }

  /// Waits for all sums that were started.
  func finish() throws

  /// The sums over all ranks, element by element.
  func sum(_ values: [Double]) throws -> [Double]
}

/// A group of one.
package struct SingleProcess: GradientExchange {
  package init() {}

  package var rank: Int { 0 }
  package var worldSize: Int { 1 }
  package func name(of rank: Int) -> String { "rank 0" }
  package func begin(_ values: Buffer, _ range: Range<Int>) {}
  package var activeSeconds: Double { 0 }
  package func finish() {}
  package func sum(_ values: [Double]) -> [Double] { values }
}

extension GradientExchange {
  /// Whether this rank writes the run's files.
  package var isFirst: Bool { rank == 0 }

  /// What every rank gave, in the order of ranks. All give equally many values.
  package func gather(_ values: [Double]) throws -> [[Double]] {
    var all = [Double](repeating: 0, count: values.count * worldSize)
    all.replaceSubrange(rank * values.count..<(rank + 1) * values.count, with: values)
    let sums = try sum(all)
    return (0..<worldSize).map { Array(sums[$0 * values.count..<($0 + 1) * values.count]) }
  }

  /// Whether any rank says so.
  package func any(_ isTrue: Bool) throws -> Bool { try sum([isTrue ? 1 : 0])[0] > 0 }

  /// The first rank whose values have other bits than those of rank 0; nil when all are equal.
  package func dissenter(_ values: Buffer) throws -> Int? {
    if worldSize == 1 { return nil }
    // Twelve of the digest's bytes, as numbers that a Double holds exactly.
    let bytes = Self.digest(of: values).bytes
    let words = [bytes[0..<6], bytes[6..<12]].map { half in
      half.reduce(0.0) { $0 * 256 + Double($1) }
    }
    let all = try gather(words)
    return all.firstIndex { $0 != all[0] }
  }

  private static func digest(of values: Buffer) -> Digest {
    var hash = SHA256()
    let tile = 1 << 20
    for start in stride(from: 0, to: values.byteCount, by: tile) {
      var bytes = [UInt8](repeating: 0, count: min(tile, values.byteCount - start))
      var span = bytes.mutableRawSpan
      values.read(at: start, into: &span)
      hash.update(bytes)
    }
    return hash.finish()
  }
}
