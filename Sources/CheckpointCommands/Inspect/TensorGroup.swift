import ByteIO
import Tensors

/// Tensors that differ only in their layer number, shown as one line.
struct TensorGroup {
  /// The common name, the layer numbers as ranges: `model.layers.{0-21}.mlp.up_proj.weight`.
  var name: String
  var type: StorageType
  var shape: [Int]
  var count: Int
  var byteCount: Int

  /// The groups of `tensors`, in order of first appearance.
  ///
  /// Tensors share a group when their names are equal but for the first all-digit part, and their
  /// types and shapes are the same.
  static func groups(of tensors: [TensorRecord]) -> [TensorGroup] {
    struct Key: Hashable {
      var head: ExactString
      var tail: ExactString
      var type: StorageType
      var shape: [Int]
    }
    var order: [Key] = []
    var members: [Key: (numbers: [Int], count: Int, byteCount: Int)] = [:]
    for tensor in tensors {
      let (head, number, tail) = split(tensor.name.string)
      let key = Key(
        head: ExactString(head), tail: ExactString(tail), type: tensor.type, shape: tensor.shape)
      if members[key] == nil { order.append(key) }
      members[key, default: ([], 0, 0)].numbers += number.map { [$0] } ?? []
      members[key]?.count += 1
      members[key]?.byteCount += tensor.byteCount
    }
    return order.compactMap { key in
      members[key].map {
        TensorGroup(
          name: key.head.string + ranges($0.numbers) + key.tail.string, type: key.type,
          shape: key.shape, count: $0.count, byteCount: $0.byteCount)
      }
    }
  }

  /// The name around its first all-digit part; no number when it has none.
  private static func split(_ name: String) -> (head: String, number: Int?, tail: String) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard
      let index = parts.firstIndex(where: { part in
        !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
      }), let number = Int(parts[index])
    else { return (name, nil, "") }
    let head = parts[..<index].map { $0 + "." }.joined()
    let tail = parts[(index + 1)...].map { "." + $0 }.joined()
    return (head, number, tail)
  }

  /// `7`, or `{0-3,10-17}`.
  private static func ranges(_ numbers: [Int]) -> String {
    guard numbers.count > 1 else { return numbers.first.map(String.init) ?? "" }
    return "{" + rangeList(numbers.sorted()) + "}"
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
