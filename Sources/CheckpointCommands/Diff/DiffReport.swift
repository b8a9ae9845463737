import ByteIO
import JSON
import Reports
import Tensors
import Verification

/// What `ckpt diff` found.
struct DiffReport: Report {
  static let command = "diff"

  var first: String
  var second: String
  var equalCount = 0
  var onlyInFirst: [TensorName] = []
  var onlyInSecond: [TensorName] = []
  var differing: [TensorDifference] = []

  var next: String? { NextCommand.inspect(second) }

  var isOK: Bool { onlyInFirst.isEmpty && onlyInSecond.isEmpty && differing.isEmpty }

  var json: JSONObject {
    [
      "first": .string(first), "second": .string(second), "equal": JSONValue(equalCount),
      "only_in_first": .array(onlyInFirst.map { .string($0.string) }),
      "only_in_second": .array(onlyInSecond.map { .string($0.string) }),
      "differing": .array(differing.map(\.json)),
    ]
  }

  var text: String {
    var page = ""
    for name in onlyInFirst { page += "only in \(first): \(name)\n" }
    for name in onlyInSecond { page += "only in \(second): \(name)\n" }
    if !differing.isEmpty {
      var table = TextTable([
        ("tensor", .left), ("first", .left), ("second", .left), ("max abs", .right),
        ("relative", .right), ("cosine", .right), ("differing", .right),
      ])
      for difference in differing { table.add(difference.cells) }
      page += table.text()
    }
    let verdict = isOK ? "the same" : "different"
    return page + "\(verdict): \(equalCount) tensors equal, \(differing.count) differ, "
      + "\(onlyInFirst.count) only in the first, \(onlyInSecond.count) only in the second\n"
  }
}

extension TensorDifference {
  var json: JSONValue {
    var object: JSONObject = [
      "name": .string(name.string), "first": Self.json(shapes.0, types.0),
      "second": Self.json(shapes.1, types.1),
    ]
    if let values {
      object["values"] = [
        "differing": JSONValue(values.differingCount),
        "first_difference": JSONValue(values.firstDifference),
        "max_abs": JSONValue(values.maximumAbsolute),
        "relative_norm": JSONValue(values.relativeNorm), "cosine": JSONValue(values.cosine),
        "non_finite": JSONValue(values.nonFiniteCount),
      ]
    }
    return .object(object)
  }

  private static func json(_ shape: [Int], _ type: StorageType) -> JSONValue {
    ["dtype": .string(type.description), "shape": .array(shape.map { JSONValue($0) })]
  }

  fileprivate var cells: [String] {
    let sides = ["\(types.0) \(shapes.0)", "\(types.1) \(shapes.1)"]
    guard let values else {
      return [name.string] + sides + ["-", "-", "-", shapes.0 == shapes.1 ? "bytes" : "shape"]
    }
    return [name.string] + sides + [
      scientific(values.maximumAbsolute), scientific(values.relativeNorm),
      fixed(values.cosine, 8), grouped(values.differingCount),
    ]
  }
}
