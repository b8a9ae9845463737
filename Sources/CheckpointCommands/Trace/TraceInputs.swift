import ByteIO
import Safetensors
import Tensors
import Transformer

/// What a trace runs on: the tensors of a safetensors file.
struct TraceInputs {
  /// `[B * S]`, sequence by sequence.
  let tokens: [Int32]
  let sequences: Int
  let length: Int
  /// `[B * S]`, aligned to the logits; -100 does not count.
  let labels: [Int32]?
  /// `[B, S, h]`.
  let initialState: [Float]?

  /// Reads `input_ids` `[B, S]`, and if they are there `labels` `[B, S]` and `initial_state`
  /// `[B, S, hidden]`; other tensors are not looked at.
  init(_ region: ByteRegion, hidden: Int) throws {
    let file = try SafetensorsFile(region)
    func tensor(_ name: String) -> (index: Int, record: TensorRecord)? {
      file.tensors.firstIndex { $0.name == ExactString(name) }.map { ($0, file.tensors[$0]) }
    }
    guard let ids = tensor("input_ids") else {
      throw TraceError(region.path, .missing, tensor: "input_ids")
    }
    guard ids.record.shape.count == 2, ids.record.elementCount > 0 else {
      throw TraceError(region.path, .shape(ids.record.shape, wanted: "[B, S]"), tensor: "input_ids")
    }
    let shape = ids.record.shape
    func integers(_ name: String) throws -> [Int32]? {
      guard let found = tensor(name) else { return nil }
      guard found.record.shape == shape else {
        throw TraceError(
          region.path, .shape(found.record.shape, wanted: "\(shape)"), tensor: found.record.name)
      }
      return try Self.integers(file, found.index)
    }
    (sequences, length) = (shape[0], shape[1])
    tokens = try integers("input_ids") ?? []
    labels = try integers("labels")
    initialState = try tensor("initial_state").map { found in
      guard found.record.shape == shape + [hidden] else {
        throw TraceError(
          region.path, .shape(found.record.shape, wanted: "\(shape + [hidden])"),
          tensor: "initial_state")
      }
      return try Self.floats(file, found.index)
    }
  }

  /// The tensor `logits` `[B, S, V]` of a trace, for the tokens of `batch`.
  static func logits(_ region: ByteRegion, of batch: Batch, _ vocabulary: Int) throws -> [Float] {
    let file = try SafetensorsFile(region)
    guard let index = file.tensors.firstIndex(where: { $0.name == ExactString("logits") }) else {
      throw TraceError(region.path, .missing, tensor: "logits")
    }
    let (record, shape) = (file.tensors[index], [batch.sequences, batch.length, vocabulary])
    guard record.shape == shape else {
      throw TraceError(region.path, .shape(record.shape, wanted: "\(shape)"), tensor: record.name)
    }
    return try floats(file, index)
  }

  private static func integers(_ file: SafetensorsFile, _ index: Int) throws -> [Int32] {
    let record = file.tensors[index]
    let bytes = try stored(file, index)
    var reader = ByteReader(bytes.rawSpan)
    return try (0..<record.elementCount).map { _ in
      let value: Int64
      switch record.type {
      case .element(.i64): value = try reader.read(Int64.self)
      case .element(.i32): value = Int64(try reader.read(Int32.self))
      default:
        throw TraceError(record.file, .type(record.type, wanted: "I64 or I32"), tensor: record.name)
      }
      guard let small = Int32(exactly: value) else {
        throw TraceError(record.file, .idTooLarge(value), tensor: record.name)
      }
      return small
    }
  }

  private static func floats(_ file: SafetensorsFile, _ index: Int) throws -> [Float] {
    let record = file.tensors[index]
    guard case .element(let type) = record.type, type.isFloatingPoint else {
      throw TraceError(record.file, .type(record.type, wanted: "F32"), tensor: record.name)
    }
    let bytes = try stored(file, index)
    var values = [Float](repeating: 0, count: record.elementCount)
    var span = values.mutableSpan
    try decode(bytes.rawSpan, as: type, into: &span)
    return values
  }

  private static func stored(_ file: SafetensorsFile, _ index: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: file.tensors[index].byteCount)
    var span = bytes.mutableRawSpan
    try file.read(index, at: 0, into: &span)
    return bytes
  }
}

/// Why a file cannot be the input of a trace.
struct TraceError: DiagnosedError, Equatable {
  enum Problem: Equatable {
    case missing
    case shape([Int], wanted: String)
    case type(StorageType, wanted: String)
    case idTooLarge(Int64)
  }

  var path: String
  var problem: Problem
  private var name: TensorName

  init(_ path: String, _ problem: Problem, tensor: TensorName) {
    self.path = path
    self.problem = problem
    name = tensor
  }

  var file: String? { path }
  var tensor: String? { name.string }
  var kind: FailureKind { .malformed }

  var code: String {
    switch problem {
    case .missing: "trace.missing"
    case .shape: "trace.shape"
    case .type: "trace.dtype"
    case .idTooLarge: "trace.id_too_large"
    }
  }

  var message: String {
    switch problem {
    case .missing: "the file has no such tensor"
    case .shape(let found, let wanted): "shape \(found), \(wanted) expected"
    case .type(let found, let wanted): "dtype \(found), \(wanted) expected"
    case .idTooLarge(let id): "token id \(id) does not fit 32 bits"
    }
  }

  var hint: String? {
    name == "logits"
      ? "write logits [B, S, V] of the same tokens, as `ckpt trace` does"
      : "give input_ids [B, S] as I64, and optionally labels [B, S] and initial_state [B, S, hidden]"
  }
}
