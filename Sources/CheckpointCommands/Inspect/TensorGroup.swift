import ByteIO
import Tensors

/// Tensors that differ only in the numbers of their names, shown as one line.
struct TensorGroup {
  /// The common name, the numbers as ranges: `model.layers.{0-21}.mlp.experts.{0-63}.up_proj.weight`.
  var name: String
  var type: StorageType
  var shape: [Int]
  var count: Int
  var byteCount: Int

  /// The groups of `tensors`, in order of first appearance.
  ///
  /// Tensors share a group when their names are equal but for all-digit parts, their types and shapes
  /// are the same, and every layer has the same numbers: each combination of those shown is there.
  static func groups(of tensors: [TensorRecord]) -> [TensorGroup] {
    var order: [Key] = []
    var members: [Key: Members] = [:]
    for tensor in tensors {
      let (parts, numbers) = split(tensor.name.string)
      let key = Key(parts: parts, type: tensor.type, shape: tensor.shape)
      if members[key] == nil { order.append(key) }
      members[key, default: Members()].add(numbers, tensor.byteCount)
    }
    return order.flatMap { key in (members[key] ?? Members()).groups(key) }
  }

  private struct Key: Hashable {
    /// The name's pieces around its numbers.
    var parts: [ExactString]
    var type: StorageType
    var shape: [Int]
  }

  private struct Members {
    /// The first number of a name, and what has it: the sets of its other numbers.
    private var layers: [Int?: (others: [[Int]], byteCount: Int)] = [:]

    mutating func add(_ numbers: [Int], _ byteCount: Int) {
      layers[numbers.first, default: ([], 0)].others.append(Array(numbers.dropFirst()))
      layers[numbers.first]?.byteCount += byteCount
    }

    /// Layers with the same other numbers go together.
    func groups(_ key: Key) -> [TensorGroup] {
      struct Same: Hashable { var others: [[Int]] }
      var merged: [Same: (first: [Int], byteCount: Int)] = [:]
      for (first, member) in layers {
        let same = Same(others: member.others.sorted { $0.lexicographicallyPrecedes($1) })
        merged[same, default: ([], 0)].first += first.map { [$0] } ?? []
        merged[same]?.byteCount += member.byteCount
      }
      return merged.sorted { ($0.value.first.min() ?? 0) < ($1.value.first.min() ?? 0) }.flatMap {
        same, value in
        TensorGroup.groups(key, value.first, same.others, value.byteCount)
      }
    }
  }

  /// One group where the other numbers are all combinations of what each place has; else one for each.
  private static func groups(
    _ key: Key, _ first: [Int], _ others: [[Int]], _ byteCount: Int
  ) -> [TensorGroup] {
    let places = (others.first ?? []).indices.map { place in
      Set(others.map { $0[place] }).sorted()
    }
    let layers = max(1, first.count)
    // No product beyond what could be equal: it might not fit.
    let isWhole =
      places.reduce(1) { min($0 * $1.count, others.count + 1) } == others.count
    let lists: [[[Int]]] = isWhole ? [places] : others.map { $0.map { [$0] } }
    return lists.map { list in
      let ranges = ((first.isEmpty ? [] : [first.sorted()]) + list).map(Self.ranges)
      let name = zip(key.parts, ranges + [""]).map { $0.string + $1 }.joined()
      return TensorGroup(
        name: name, type: key.type, shape: key.shape, count: layers * others.count / lists.count,
        byteCount: byteCount / lists.count)
    }
  }

  /// The pieces around the all-digit parts of a name, and these.
  private static func split(_ name: String) -> (parts: [ExactString], numbers: [Int]) {
    var parts: [ExactString] = []
    var numbers: [Int] = []
    var piece = ""
    for (index, part) in name.split(separator: ".", omittingEmptySubsequences: false).enumerated() {
      if index > 0 { piece += "." }
      // Zeros before a number are a part of the name.
      if let number = Int(part), number >= 0, String(number) == part {
        parts.append(ExactString(piece))
        numbers.append(number)
        piece = ""
      } else {
        piece += part
      }
    }
    return (parts + [ExactString(piece)], numbers)
  }

  /// `7`, or `{0-3,10-17}`.
  private static func ranges(_ numbers: [Int]) -> String {
    guard numbers.count > 1 else { return numbers.first.map(String.init) ?? "" }
    return "{" + rangeList(numbers) + "}"
  }
}

/// Ascending numbers as inclusive ranges: `0-3,10-17,20`.
func rangeList(_ numbers: [Int]) -> String {
  var runs: [ClosedRange<Int>] = []
  for number in numbers {
    if let last = runs.last, last.upperBound + 1 == number {
      runs[runs.count - 1] = last.lowerBound...number
    } else {
      runs.append(number...number)
    }
  }
  return runs.map { run in
    run.count == 1 ? "\(run.lowerBound)" : "\(run.lowerBound)-\(run.upperBound)"
  }.joined(separator: ",")
}
