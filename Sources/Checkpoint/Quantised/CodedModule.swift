import ByteIO
import Tensors

/// The tensors of one module that compressed-tensors stored.
struct CodedModule {
  let module: String
  /// `weight_packed`, or `weight` itself.
  let codes: TensorRecord
  let stored: StoredTensors

  init(_ module: String, codes: TensorRecord, stored: StoredTensors) {
    self.module = module
    self.codes = codes
    self.stored = stored
  }

  private var path: String { stored.path }

  private func error(_ problem: QuantisationError.Problem, _ name: TensorName) -> QuantisationError
  {
    QuantisationError(problem, path: stored.path, tensor: name)
  }

  private func companion(_ ending: String) -> TensorRecord? {
    stored.record(TensorName("\(module).\(ending)"))
  }

  private func need(_ ending: String) throws(QuantisationError) -> TensorRecord {
    guard let record = companion(ending) else {
      throw error(.missing(TensorName("\(module).\(ending)")), codes.name)
    }
    return record
  }

  private func require(_ record: TensorRecord, _ types: [ElementType]) throws(QuantisationError) {
    guard types.contains(where: { record.type == .element($0) }) else {
      let names = types.map(\.description).joined(separator: ", ")
      throw error(.wrongType(record.type, wanted: names), record.name)
    }
  }

  /// The weight, when `scheme` fits all of the module's tensors.
  func weight(_ scheme: CodeScheme) throws -> QuantisedWeight {
    let scales = try need("weight_scale")
    let isExponent = scheme.kind == .mxfp4
    try require(scales, isExponent ? [.u8] : [.bf16, .f16, .f32])
    guard case .element(let stored) = scales.type else { preconditionFailure("checked above") }
    // The type in which the library computes.
    let type = isExponent ? ElementType.bf16 : stored
    var operands = [scales.name]
    let (shape, source) = try codes(scheme, &operands)
    let (rows, columns) = (shape[0], shape[1])
    if case .group(let size) = scheme.strategy, columns % size != 0 {
      throw error(.wrongShape(shape, wanted: "a multiple of the group size, \(size)"), codes.name)
    }
    let block = scheme.block(rows, columns)
    let grid = try ScaleGrid(
      scales, block: block, of: shape, path: path, isExponent: isExponent)
    let zeros = try zeroPoints(scheme, shape, grid, &operands)
    let groups = try groups(scheme, columns, grid, &operands)
    return try QuantisedWeight(
      TensorName(module + ".weight"), shape: shape, type: type, codes: codes, operands: operands,
      encoding: scheme.encoding,
      decoder: ScaledRows(
        codes: source, columns: columns, scales: grid, zeroPoints: zeros, groups: groups),
      path: path)
  }

  /// The weight's shape, and where its codes lie.
  private func codes(
    _ scheme: CodeScheme, _ operands: inout [TensorName]
  ) throws -> (shape: [Int], ScaledRows.Codes) {
    guard codes.shape.count == 2 else {
      throw UnreadVariant("codes of shape \(codes.shape)", tensor: codes.name)
    }
    if scheme.kind == .mxfp4 {
      try require(codes, [.u8])
      let (columns, overflow) = codes.shape[1].multipliedReportingOverflow(by: 2)
      guard !overflow else { throw error(.wrongShape(codes.shape, wanted: "smaller"), codes.name) }
      return ([codes.shape[0], columns], .fp4(codes.name))
    }
    guard scheme.kind == .packed else { return (codes.shape, .numbers(codes.name)) }
    try require(codes, [.i32])
    let record = try need("weight_shape")
    try require(record, [.i64, .i32])
    guard record.shape == [2] else {
      throw error(.wrongShape(record.shape, wanted: "[2]"), record.name)
    }
    operands.append(record.name)
    let shape = try sizes(record)
    let (bits, overflow) = shape[1].multipliedReportingOverflow(by: scheme.bits)
    guard !overflow, shape.allSatisfy({ $0 >= 0 }),
      codes.shape == [shape[0], bits / 32 + (bits % 32 == 0 ? 0 : 1)]
    else {
      throw error(
        .wrongShape(codes.shape, wanted: "that of \(shape) codes of \(scheme.bits) bits"),
        codes.name)
    }
    return (shape, .packed(codes.name, bits: scheme.bits, rowBytes: codes.shape[1] * 4))
  }

  /// Two whole numbers, as they are stored.
  private func sizes(_ record: TensorRecord) throws -> [Int] {
    let bytes = try stored.bytes(record.name, 0..<record.byteCount)
    var reader = ByteReader(bytes.rawSpan)
    return try (0..<2).map { _ in
      record.type == .element(.i64)
        ? Int(Int64(bitPattern: try reader.read(UInt64.self)))
        : Int(Int32(bitPattern: try reader.read(UInt32.self)))
    }
  }

  private func zeroPoints(
    _ scheme: CodeScheme, _ shape: [Int], _ scales: ScaleGrid, _ operands: inout [TensorName]
  ) throws -> ZeroPoints {
    let middle: Float = scheme.kind == .packed ? Float(1 << (scheme.bits - 1)) : 0
    let record = companion("weight_zero_point")
    guard !scheme.isSymmetric else {
      if let record { throw error(.unwanted("the codes are symmetric"), record.name) }
      return middle == 0 ? .none : .same(middle)
    }
    let zeros = try record ?? need("weight_zero_point")
    operands.append(zeros.name)
    guard scheme.kind == .packed, scheme.strategy != .tensor else {
      try require(zeros, [.i8])
      let block = scheme.block(shape[0], shape[1])
      return .stored(try ScaleGrid(zeros, block: block, of: shape, path: stored.path), plus: middle)
    }
    if case .block = scheme.strategy {
      throw UnreadVariant("packed codes in blocks", tensor: codes.name)
    }
    try require(zeros, [.i32])
    let (bits, overflow) = shape[0].multipliedReportingOverflow(by: scheme.bits)
    let wanted = [bits / 32 + (bits % 32 == 0 ? 0 : 1), scales.columns]
    guard !overflow, zeros.shape == wanted else {
      throw error(.wrongShape(zeros.shape, wanted: "\(wanted)"), zeros.name)
    }
    return .packed(zeros.name, bits: scheme.bits)
  }

  private func groups(
    _ scheme: CodeScheme, _ columns: Int, _ scales: ScaleGrid, _ operands: inout [TensorName]
  ) throws -> ColumnGroups? {
    let record = try scheme.isReordered ? need("weight_g_idx") : companion("weight_g_idx")
    guard let record else { return nil }
    guard case .group = scheme.strategy else {
      throw error(.unwanted("there are no groups"), record.name)
    }
    try require(record, [.i32])
    guard record.shape == [columns] else {
      throw error(.wrongShape(record.shape, wanted: "[\(columns)]"), record.name)
    }
    operands.append(record.name)
    return ColumnGroups(tensor: record.name, count: scales.columns, mayBeUnset: true)
  }
}
