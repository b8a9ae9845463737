/// Values of one primitive column, one after another.
package enum PrimitiveValues: Sendable {
  case booleans([Bool])
  /// Integers of every width; unsigned ones of 64 bits by their bit pattern.
  case integers([Int64])
  case floats([Double])
  case bytes(ByteStrings)

  package var count: Int {
    switch self {
    case .booleans(let values): values.count
    case .integers(let values): values.count
    case .floats(let values): values.count
    case .bytes(let values): values.count
    }
  }

  package func slice(_ range: Range<Int>) -> PrimitiveValues {
    if range == 0..<count { return self }
    return switch self {
    case .booleans(let values): .booleans(Array(values[range]))
    case .integers(let values): .integers(Array(values[range]))
    case .floats(let values): .floats(Array(values[range]))
    case .bytes(let values): .bytes(values.slice(range))
    }
  }

  /// The values at `indices`, each of which must exist.
  package func gathering(_ indices: [UInt32]) -> PrimitiveValues {
    switch self {
    case .booleans(let values): .booleans(indices.map { values[Int($0)] })
    case .integers(let values): .integers(indices.map { values[Int($0)] })
    case .floats(let values): .floats(indices.map { values[Int($0)] })
    case .bytes(let values): .bytes(values.gathering(indices))
    }
  }

  /// Appends values of the same kind; anything may follow no values.
  package mutating func append(_ other: PrimitiveValues) {
    switch (self, other) {
    case (.booleans(let a), .booleans(let b)): self = .booleans(a + b)
    case (.integers(let a), .integers(let b)): self = .integers(a + b)
    case (.floats(let a), .floats(let b)): self = .floats(a + b)
    case (.bytes(var a), .bytes(let b)):
      a.append(b)
      self = .bytes(a)
    default:
      precondition(count == 0 || other.count == 0, "one column has values of one kind")
      if count == 0 { self = other }
    }
  }

  /// One value for each of `isThere`: the next one where it is true, a filler elsewhere.
  package func spread(_ isThere: [Bool]) -> PrimitiveValues {
    switch self {
    case .booleans(let values): .booleans(Columns.spread(values, isThere, false))
    case .integers(let values): .integers(Columns.spread(values, isThere, 0))
    case .floats(let values): .floats(Columns.spread(values, isThere, 0))
    case .bytes(let values): .bytes(values.spread(isThere))
    }
  }
}
