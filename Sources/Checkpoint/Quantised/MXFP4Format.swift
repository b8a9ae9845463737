import ByteIO
import JSON
import Tensors

/// The experts of GPT-OSS: E2M1 numbers in `NAME_blocks`, exponents in `NAME_scales`, 32 numbers to
/// a scale (QT-30 to QT-32).
enum MXFP4Format: QuantisedFormat {
  static let method = "mxfp4"
  static let fields = "quant_method modules_to_not_convert dequantize"
  static let only: [String: [JSONValue]] = [:]

  static func weights(
    _ settings: QuantisationSettings, _ stored: StoredTensors
  ) throws -> QuantisedTensors {
    var found = QuantisedTensors()
    found.leftOut = try settings.modules("modules_to_not_convert")
    for record in stored.records {
      let name = record.name.string
      if name.hasSuffix("_blocks") {
        found.weights.append(try weight(String(name.dropLast(7)), record, settings, stored))
      } else if name.hasSuffix("_scales"),
        stored.record(TensorName(name.dropLast(7) + "_blocks")) == nil
      {
        throw QuantisationError(.orphan, path: stored.path, tensor: record.name)
      }
    }
    return found
  }

  private static func weight(
    _ name: String, _ codes: TensorRecord, _ settings: QuantisationSettings,
    _ stored: StoredTensors
  ) throws -> QuantisedWeight {
    let path = stored.path
    func require(_ condition: Bool, _ problem: QuantisationError.Problem, _ name: TensorName) throws
    {
      guard condition else { throw QuantisationError(problem, path: path, tensor: name) }
    }
    let scalesName = TensorName(name + "_scales")
    guard let scales = stored.record(scalesName) else {
      throw QuantisationError(.missing(scalesName), path: path, tensor: codes.name)
    }
    for record in [codes, scales] {
      try require(
        record.type == .element(.u8), .wrongType(record.type, wanted: "U8"), record.name)
    }
    let shape = codes.shape
    let (columns, overflow) = (shape.count > 2 ? shape[2] : 0).multipliedReportingOverflow(by: 32)
    try require(
      shape.count == 4 && shape[3] == 16 && !overflow,
      .wrongShape(shape, wanted: "experts, rows, groups, 16"), codes.name)
    let stored = [shape[0], shape[1], columns]
    let grid = try ScaleGrid(
      scales, block: (1, 32), of: stored, path: path, isExponent: true)
    return try QuantisedWeight(
      TensorName(name), shape: [shape[0], columns, shape[1]], type: settings.modelType ?? .bf16,
      codes: codes, operands: [scalesName], encoding: "MXFP4, transposed",
      decoder: TransposedFP4(
        codes: codes.name, rows: shape[1], groups: shape[2], scales: grid), path: path)
  }
}

/// Decodes matrices of E2M1 numbers, and gives them transposed: the stored columns as rows.
struct TransposedFP4: WeightDecoder {
  let codes: TensorName
  /// Rows of each stored matrix, and groups of 32 numbers in each of these rows.
  let rows: Int
  let groups: Int
  let scales: ScaleGrid

  let rowUnit: Int? = 32
  /// Stored rows that are decoded at a time.
  private static let tile = 64

  func decode(
    _ wanted: Range<Int>, from stored: StoredTensors, into values: inout MutableSpan<Float>
  ) throws {
    let columns = groups * 32
    var start = wanted.lowerBound
    while start < wanted.upperBound {
      let matrix = start / columns
      let end = min(wanted.upperBound, (matrix + 1) * columns)
      let range = (start - wanted.lowerBound) * rows..<(end - wanted.lowerBound) * rows
      var target = values._mutatingExtracting(range)
      try decode(
        matrix, columns: start - matrix * columns..<end - matrix * columns, from: stored,
        into: &target)
      start = end
    }
  }

  /// Fills `values` with the columns `wanted` of one stored matrix, column by column.
  private func decode(
    _ matrix: Int, columns wanted: Range<Int>, from stored: StoredTensors,
    into values: inout MutableSpan<Float>
  ) throws {
    let range = wanted.lowerBound / 32..<(wanted.upperBound + 31) / 32
    let width = range.count * 32
    var numbers: [Float] = []
    for first in stride(from: 0, to: rows, by: Self.tile) {
      let count = min(Self.tile, rows - first)
      let row = matrix * rows + first
      let exponents = try scales.scales(for: row..<row + count, from: stored).values
      if numbers.count != count * width { numbers = [Float](repeating: 0, count: count * width) }
      var all = numbers.mutableSpan
      for i in 0..<count {
        let start = ((row + i) * groups + range.lowerBound) * 16
        let bytes = try stored.bytes(codes, start..<start + range.count * 16)
        var part = all._mutatingExtracting(i * width..<(i + 1) * width)
        try Tensors.decode(bytes.rawSpan, as: .f4, into: &part)
        let factors = exponents.span.extracting(
          i * groups + range.lowerBound..<i * groups + range.upperBound)
        scale(&part, by: factors, minus: nil, width: 32)
      }
      let skipped = wanted.lowerBound - range.lowerBound * 32
      transpose(
        numbers.span, rows: count, columns: width, only: skipped..<skipped + wanted.count,
        into: &values, at: first, stride: rows)
    }
  }
}
