import ByteIO
import JSON
import Kernels
import Reports

/// One float32 tensor of a trace: a matrix of as many elements as the shape has.
struct TracedTensor {
  var name: String
  var shape: [Int]
  var matrix: Matrix

  init(_ name: String, _ shape: [Int], _ matrix: Matrix) {
    self.name = name
    self.shape = shape
    self.matrix = matrix
  }
}

/// What `ckpt trace` wrote.
struct TraceReport: Report {
  static let command = "trace"

  var path: String
  var tensors: [(name: String, shape: [Int])]
  /// In nats per token; nil when it was not wanted.
  var loss: Double?
  /// Whether gradients were asked for, and no recurrence was with gradient.
  var lacksGradient: Bool
  /// Tensors with values that are NaN or infinite.
  var nonFinite: [String]

  var warnings: [Warning] {
    let none = Warning(
      "trace.no_gradient",
      "no recurrence had a gradient, so those of the core are zero; give --recurrence N,K",
      file: path)
    return (lacksGradient ? [none] : [])
      + nonFinite.map {
        Warning(
          "trace.non_finite", "values are NaN or infinite: the arithmetic overflows", file: path,
          tensor: $0)
      }
  }

  var next: String? { NextCommand.inspect(path) }

  var json: JSONObject {
    var object: JSONObject = [
      "path": .string(path),
      "tensors": .array(
        tensors.map {
          ["name": .string($0.name), "shape": .array($0.shape.map { JSONValue($0) })]
        }),
    ]
    if let loss { object["loss"] = JSONValue(loss) }
    return object
  }

  var text: String {
    var table = TextTable([.left, .left])
    for tensor in tensors { table.add([tensor.name, "\(tensor.shape)"]) }
    return "\(path)\n" + table.text(indent: 2)
      + (loss.map { "loss \(fixed($0, 4)) nats per token\n" } ?? "")
  }
}
