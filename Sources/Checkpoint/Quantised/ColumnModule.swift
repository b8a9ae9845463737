import ByteIO
import JSON
import Tensors

/// The tensors of one module in the layout that GPTQ and AWQ share.
struct ColumnModule {
  let module: String
  /// `qweight`.
  let codes: TensorRecord
  let order: ColumnCodes.Order
  let stored: StoredTensors

  /// All weights that are stored like this.
  ///
  /// - Parameter name: The method and the width, for people.
  static func weights(
    _ order: ColumnCodes.Order, name: String, _ settings: QuantisationSettings,
    _ stored: StoredTensors
  ) throws -> QuantisedTensors {
    let size =
      try settings.integer("group_size", in: -1...(1 << 30))
      ?? settings.integer("q_group_size", in: -1...(1 << 30))
    guard let size, size != 0 else {
      throw settings.malformed("group_size", "above 0, or -1 for one group")
    }
    var found = QuantisedTensors()
    found.leftOut = try settings.modules("modules_to_not_convert")
    for record in stored.records where record.name.string.hasSuffix(".qweight") {
      let module = ColumnModule(
        module: String(record.name.string.dropLast(8)), codes: record, order: order, stored: stored)
      found.weights.append(try module.weight(groupSize: size, name: name))
    }
    for record in stored.records where record.name.string.hasSuffix(".scales") {
      let codes = TensorName(record.name.string.dropLast(7) + ".qweight")
      if stored.record(codes) == nil {
        throw QuantisationError(.orphan, path: stored.path, tensor: record.name)
      }
    }
    return found
  }

  private func error(_ problem: QuantisationError.Problem, _ name: TensorName) -> QuantisationError
  {
    QuantisationError(problem, path: stored.path, tensor: name)
  }

  /// The companion `ending`, of one of the types and of the shape.
  private func need(
    _ ending: String, _ types: [ElementType], _ shape: [Int]
  ) throws(QuantisationError) -> TensorRecord {
    let name = TensorName("\(module).\(ending)")
    guard let record = stored.record(name) else { throw error(.missing(name), codes.name) }
    try require(record, types)
    guard record.shape == shape else {
      throw error(.wrongShape(record.shape, wanted: "\(shape)"), name)
    }
    return record
  }

  private func require(_ record: TensorRecord, _ types: [ElementType]) throws(QuantisationError) {
    guard types.contains(where: { record.type == .element($0) }) else {
      let names = types.map(\.description).joined(separator: ", ")
      throw error(.wrongType(record.type, wanted: names), record.name)
    }
  }

  private func weight(groupSize: Int, name: String) throws -> QuantisedWeight {
    try require(codes, [.i32])
    let (inputs, outputs, width) = try sizes()
    let size = groupSize == -1 ? max(1, inputs) : groupSize
    guard inputs % size == 0 else {
      throw error(
        .wrongShape([outputs, inputs], wanted: "a multiple of the group size, \(size)"),
        codes.name)
    }
    let count = inputs / size
    let scales = try need("scales", [.f16, .bf16, .f32], [count, outputs])
    let zeros = try need("qzeros", [.i32], [count, width])
    var operands = [scales.name, zeros.name]
    var groups: ColumnGroups?
    if case .stream = order, stored.record(TensorName("\(module).g_idx")) != nil {
      let index = try need("g_idx", [.i32], [inputs])
      operands.append(index.name)
      groups = ColumnGroups(tensor: index.name, count: count)
    }
    guard case .element(let type) = scales.type else { preconditionFailure("checked above") }
    return try QuantisedWeight(
      TensorName(module + ".weight"), shape: [outputs, inputs], type: type, codes: codes,
      operands: operands,
      encoding: name + (groupSize == -1 ? " in columns" : " in groups of \(size)"),
      decoder: ColumnCodes(
        order: order, codes: codes.name, scales: scales.name, zeros: zeros.name, inputs: inputs,
        outputs: outputs, groupSize: size, groups: groups), path: stored.path)
  }

  /// Inputs and outputs of the weight, and words in a row of `qzeros`.
  private func sizes() throws -> (inputs: Int, outputs: Int, width: Int) {
    let shape = codes.shape
    guard shape.count == 2, shape.allSatisfy({ $0 < 1 << 40 }) else {
      throw error(.wrongShape(shape, wanted: "that of a matrix"), codes.name)
    }
    guard case .stream(let bits, _) = order else { return (shape[0], shape[1] * 8, shape[1]) }
    guard shape[0] * 32 % bits == 0, shape[1] * bits % 32 == 0 else {
      throw error(.wrongShape(shape, wanted: "whole words of \(bits) bits"), codes.name)
    }
    return (shape[0] * 32 / bits, shape[1], shape[1] * bits / 32)
  }
}
