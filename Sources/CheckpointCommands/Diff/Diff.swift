import ArgumentParser
import ByteIO
import Checkpoint
import ModelGraph
import Models
import Tensors
import Verification

/// `ckpt diff`: are these two checkpoints the same?
struct Diff: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Compare two checkpoints tensor by tensor, across formats.",
    discussion: """
      Names are compared as bytes, then shapes, dtypes and values. The exit code is 1 when anything \
      differs. Memory stays flat, whatever the size.

      Example:
        ckpt diff model.safetensors pytorch_model.bin
        ckpt diff SmolLM2-135M SmolLM2-135M.Q8_0.gguf --values --tolerance 0.01
      """)

  @Argument(help: "File or folder.", completion: .file()) var first: String
  @Argument(help: "File or folder.", completion: .file()) var second: String

  @Option(help: "Compare only tensors whose names match; * and ? are wildcards. Repeatable.")
  var tensor: [String] = []

  @Flag(help: "Compare values only: a different dtype is no difference.")
  var values = false

  @Option(help: "Largest relative norm of a difference that still counts as equal.")
  var tolerance = 0.0

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if !(tolerance >= 0) { throw ValidationError("--tolerance must be 0 or more.") }
  }

  func perform(_ console: Console) throws -> DiffReport {
    let a = try NamedTensors(Checkpoint.opening(first))
    let b = try NamedTensors(Checkpoint.opening(second))
    let patterns = tensor.map { NamePattern($0) }
    func isWanted(_ parameter: Parameter) -> Bool {
      patterns.isEmpty || patterns.contains { $0.matches(parameter.name) }
    }
    var report = DiffReport(first: first, second: second)
    var rest = Dictionary(uniqueKeysWithValues: b.parameters.map { ($0.name, $0) })
    for parameter in a.parameters where isWanted(parameter) {
      try Interruption.check()
      guard let other = rest.removeValue(forKey: parameter.name) else {
        report.onlyInFirst.append(parameter.name)
        continue
      }
      if let difference = try difference(parameter, a, other, b) {
        report.differing.append(difference)
      } else {
        report.equalCount += 1
      }
    }
    report.onlyInSecond = rest.values.filter(isWanted).map(\.name).sorted()
    return report
  }

  private func difference(
    _ a: Parameter, _ tensorsA: NamedTensors, _ b: Parameter, _ tensorsB: NamedTensors
  ) throws -> TensorDifference? {
    var difference = TensorDifference(
      name: a.name, shapes: (a.shape, b.shape),
      types: (tensorsA.storedType(a), tensorsB.storedType(b)))
    guard a.shape == b.shape else { return difference }
    let isSameType = difference.types.0 == difference.types.1
    if isSameType,
      try TensorComparison.haveEqualBytes(a, from: tensorsA.reader, b, from: tensorsB.reader)
    {
      return nil
    }
    guard a.type.hasRealValues, b.type.hasRealValues else { return difference }
    let comparison = try TensorComparison(a, from: tensorsA.reader, b, from: tensorsB.reader)
    difference.values = comparison
    let isClose = comparison.nonFiniteCount == 0 && comparison.relativeNorm <= tolerance
    // Without a tolerance, bytes decide: another NaN or the other zero is a difference.
    return isClose && (values || isSameType && tolerance > 0) ? nil : difference
  }
}

extension ElementType {
  /// Whether an element stands for one real number; complex ones are compared as bytes.
  fileprivate var hasRealValues: Bool { self != .c64 && self != .c128 }
}

/// A tensor that is not the same in both checkpoints.
struct TensorDifference {
  var name: TensorName
  var shapes: ([Int], [Int])
  var types: (StorageType, StorageType)
  /// Nil when the shapes differ, or the values are complex.
  var values: TensorComparison?
}
