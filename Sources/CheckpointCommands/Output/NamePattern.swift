import ByteIO

/// A tensor name with wildcards: `*` stands for any run of bytes, `?` for one.
struct NamePattern: Equatable {
  private let pattern: [UInt8]

  init(_ text: String) { pattern = Array(text.utf8) }

  /// Whether the whole of `name` matches; compares bytes, in time linear in their product.
  func matches(_ name: ExactString) -> Bool {
    let text = Array(name.string.utf8)
    var (p, t) = (0, 0)
    // Where to go on when a later byte fails: behind the last star, one byte further.
    var retry: (p: Int, t: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        retry = (p + 1, t + 1)
        p += 1
      } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
        p += 1
        t += 1
      } else if let last = retry {
        (p, t) = last
        retry = (last.p, last.t + 1)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
