/// Which layers of a source model become prelude, core and coda; numbered from 0.
///
/// A value that exists is valid: each group has a layer, and layers ascend through all three.
package struct LayerSelection: Equatable, Sendable, CustomStringConvertible {
  package let prelude: [Int]
  package let core: [Int]
  package let coda: [Int]

  /// Checks three lists against a model of `count` layers.
  package init(
    prelude: [Int], core: [Int], coda: [Int], of count: Int
  ) throws(RecurrenceError) {
    for (name, group) in [("prelude", prelude), ("core", core), ("coda", coda)]
    where group.isEmpty {
      throw RecurrenceError(.emptyGroup(name))
    }
    var seen: Set<Int> = []
    var previous = -1
    for layer in prelude + core + coda {
      guard layer >= 0, layer < count else {
        throw RecurrenceError(.layerOutOfRange(layer, count: count))
      }
      guard seen.insert(layer).inserted else { throw RecurrenceError(.repeatedLayer(layer)) }
      guard layer > previous else {
        throw RecurrenceError(.outOfOrder(layer: layer, after: previous))
      }
      previous = layer
    }
    self.prelude = prelude
    self.core = core
    self.coda = coda
  }

  /// The paper's rule: the first layers are the prelude, the last are core and coda, and what is
  /// between the prelude and the core is dropped.
  package init(
    prelude: Int, core: Int, coda: Int, of count: Int
  ) throws(RecurrenceError) {
    for (name, number) in [("prelude", prelude), ("core", core), ("coda", coda)] where number < 1 {
      throw RecurrenceError(.emptyGroup(name))
    }
    var wanted = 0
    for number in [prelude, core, coda] {
      let (sum, overflow) = wanted.addingReportingOverflow(number)
      wanted = overflow ? .max : sum
    }
    guard wanted <= count else {
      throw RecurrenceError(.tooManyLayers(wanted: wanted, count: count))
    }
    try self.init(
      prelude: Array(0..<prelude), core: Array(count - core - coda..<count - coda),
      coda: Array(count - coda..<count), of: count)
  }

  /// Reads lists such as `0-3/10-17/18-21` or `0,1/4,6-9/10,11`.
  package init(_ text: String, of count: Int) throws(RecurrenceError) {
    let groups = text.split(separator: "/", omittingEmptySubsequences: false)
    guard groups.count == 3 else { throw RecurrenceError(.malformedSelection(text)) }
    var lists: [[Int]] = []
    for group in groups { lists.append(try Self.layers(group, of: count, in: text)) }
    try self.init(prelude: lists[0], core: lists[1], coda: lists[2], of: count)
  }

  private static func layers(
    _ group: Substring, of count: Int, in text: String
  ) throws(RecurrenceError) -> [Int] {
    if group.isEmpty { return [] }
    var layers: [Int] = []
    for item in group.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = item.split(separator: "-", omittingEmptySubsequences: false)
      guard (1...2).contains(ends.count),
        ends.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
        let first = Int(ends[0]), let last = Int(ends[ends.count - 1])
      else { throw RecurrenceError(.malformedSelection(text)) }
      guard first <= last else {
        throw RecurrenceError(.reversedRange(first: first, last: last))
      }
      // Before the range is written out, which may be long.
      for end in [first, last] where end >= count {
        throw RecurrenceError(.layerOutOfRange(end, count: count))
      }
      layers += Array(first...last)
    }
    return layers
  }

  /// Layers in order of execution.
  package var all: [Int] { prelude + core + coda }

  /// The layers of a model of `count` layers that are not copied.
  package func dropped(of count: Int) -> [Int] {
    let kept = Set(all)
    return (0..<count).filter { !kept.contains($0) }
  }

  /// The selection in the form that `init(_:of:)` reads.
  package var description: String {
    [prelude, core, coda].map(LayerSelection.ranges).joined(separator: "/")
  }

  /// Ascending layers with runs written as ranges.
  package static func ranges(_ layers: [Int]) -> String {
    var items: [String] = []
    var i = 0
    while i < layers.count {
      var last = i
      while last + 1 < layers.count, layers[last + 1] == layers[last] + 1 { last += 1 }
      items.append(last == i ? "\(layers[i])" : "\(layers[i])-\(layers[last])")
      i = last + 1
    }
    return items.joined(separator: ",")
  }
}
