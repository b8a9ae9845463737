import ByteIO
import JSON
import Tensors

/// What compressed-tensors' configuration says of one group of weights.
struct CodeScheme: Equatable {
  enum Kind: String {
    case packed = "pack-quantized"
    case integers = "int-quantized"
    case floats = "float-quantized"
    case naive = "naive-quantized"
    case mxfp4 = "mxfp4-pack-quantized"

    /// Whether the codes stand in a tensor `weight_packed`.
    var isPacked: Bool { self == .packed || self == .mxfp4 }
  }

  /// Which values share a scale.
  enum Strategy: Equatable {
    case tensor
    case channel
    case group(Int)
    case block(rows: Int, columns: Int)
  }

  let kind: Kind
  let bits: Int
  let isFloat: Bool
  let isSymmetric: Bool
  let strategy: Strategy
  /// Whether each column says its group by itself.
  let isReordered: Bool

  /// - Parameters:
  ///   - weights: The group's `weights`.
  ///   - format: The group's format, or that of all.
  init(_ weights: QuantisationSettings, format: String) throws {
    guard let kind = Kind(rawValue: format) else { throw UnreadVariant("format \(format)") }
    self.kind = kind
    try weights.check(
      """
      num_bits type symmetric group_size strategy block_structure dynamic actorder scale_dtype
      zp_dtype observer observer_kwargs
      """,
      only: [
        "dynamic": [false, .null],
        "actorder": [.null, false, true, "group", "dynamic", "weight", "static"],
      ])
    bits = try weights.integer("num_bits", in: 1...64) ?? 8
    let type = weights["type"]?.string ?? "int"
    isFloat = type == "float"
    isSymmetric = try weights.bool("symmetric") ?? true
    isReordered =
      ["group", "dynamic"].contains(weights["actorder"]?.string) || weights["actorder"] == true
    strategy = try Self.strategy(weights)
    let known = kind == .packed ? [1, 2, 4, 8] : kind == .mxfp4 ? [4] : [8]
    guard type == "int" || isFloat && isSymmetric, known.contains(bits) else {
      throw UnreadVariant(
        "\(format) of \(bits) bits, type \(type)\(isSymmetric ? "" : ", zero points")")
    }
    guard isFloat ? ![.integers, .packed].contains(kind) : ![.floats, .mxfp4].contains(kind) else {
      throw weights.malformed("type", "what the format \(format) holds")
    }
    guard kind != .mxfp4 || strategy == .group(32) else {
      throw weights.malformed("group_size", "32, in the strategy group")
    }
  }

  /// As the library infers what is not said.
  private static func strategy(_ weights: QuantisationSettings) throws -> Strategy {
    let size = try weights.integer("group_size", in: -1...(1 << 30))
    let inferred = size.map { $0 > 0 ? "group" : "channel" } ?? "tensor"
    switch weights["strategy"]?.string ?? inferred {
    case "tensor": return .tensor
    case "channel": return .channel
    case "group":
      guard let size, size > 0 else { throw weights.malformed("group_size", "above 0") }
      return .group(size)
    case "block":
      guard let block = try weights.block("block_structure") else {
        throw weights.malformed("block_structure", "two positive whole numbers")
      }
      return .block(rows: block.rows, columns: block.columns)
    case let other: throw UnreadVariant("strategy \(other)")
    }
  }

  /// Rows and columns of a matrix of that shape that share a scale.
  func block(_ rows: Int, _ columns: Int) -> (rows: Int, columns: Int) {
    switch strategy {
    case .tensor: (max(1, rows), max(1, columns))
    case .channel: (1, max(1, columns))
    case .group(let size): (1, size)
    case .block(let rows, let columns): (rows, columns)
    }
  }

  /// The codes in words.
  var encoding: String {
    let type = kind == .mxfp4 ? "MXFP4" : isFloat ? "FP8 E4M3" : "int\(bits)"
    let zeros = isSymmetric ? "" : ", zero points"
    return switch strategy {
    case .tensor: "\(type) with one scale\(zeros)"
    case .channel: "\(type) in rows\(zeros)"
    case .group(let size): "\(type) in groups of \(size)\(zeros)"
    case .block(let rows, let columns): "\(type) in blocks of \(rows)x\(columns)\(zeros)"
    }
  }
}
