/// Byte strings with a number each, found as prefixes of a text.
struct ByteTrie: Sendable {
  private struct Node: Sendable {
    var byte: UInt8
    /// Number of the string that ends here, or -1.
    var value: Int32 = -1
    /// First node one byte on, or zero.
    var child: Int32 = 0
    /// Next node with the same parent, or zero.
    var sibling: Int32 = 0
  }

  /// The root is node 0.
  private var nodes = [Node(byte: 0)]
  /// The root's children by byte: it has too many for a list.
  private var roots = [Int32](repeating: 0, count: 256)

  var isEmpty: Bool { nodes.count == 1 }

  mutating func insert(_ key: Span<UInt8>, value: Int32) {
    var node = 0
    for i in key.indices {
      var next = child(of: node, key[i])
      if next == 0 {
        next = nodes.count
        let sibling = node == 0 ? 0 : nodes[node].child
        nodes.append(Node(byte: key[i], sibling: sibling))
        if node == 0 { roots[Int(key[i])] = Int32(next) } else { nodes[node].child = Int32(next) }
      }
      node = next
    }
    if node != 0 { nodes[node].value = value }
  }

  @inline(__always)
  private func child(of node: Int, _ byte: UInt8) -> Int {
    if node == 0 { return Int(roots[Int(byte)]) }
    var next = Int(nodes[node].child)
    while next != 0, nodes[next].byte != byte { next = Int(nodes[next].sibling) }
    return next
  }

  /// Calls `body` with the length and number of each string that `text` has at `start`, short first.
  @inline(__always)
  func forEachPrefix(in text: Span<UInt8>, at start: Int, _ body: (Int, Int32) -> Void) {
    var node = 0
    for i in start..<text.count {
      node = child(of: node, text[i])
      if node == 0 { return }
      if nodes[node].value >= 0 { body(i + 1 - start, nodes[node].value) }
    }
  }

  /// The longest string that `text` has at `start`.
  func longestPrefix(in text: Span<UInt8>, at start: Int) -> (length: Int, value: Int32)? {
    var longest: (Int, Int32)?
    forEachPrefix(in: text, at: start) { longest = ($0, $1) }
    return longest
  }
}
