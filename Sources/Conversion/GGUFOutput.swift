import ByteIO
import Checkpoint
import GGUF
import JSON
import ModelGraph
import Tensors
import WeightWriting

extension GGUFWriter: TensorSink {}

/// A GGUF file that is still to be written: its layout, and where each tensor's values come from.
struct GGUFOutput {
  let layout: GGUFLayout
  /// What some readers do not know.
  let warnings: [Warning]
  private let source: RecipeReader
  private let contents: [Content]

  private enum Content {
    case recipe(Parameter)
    case constant([Float])
  }

  /// A model whose matrices get `type`, or keep theirs; vectors and routers become F32, as readers
  /// expect.
  ///
  /// Rows that do not fill blocks of a quantised type become F16.
  ///
  /// - Parameters:
  ///   - tokenizer: Keys and values that follow the hyper-parameters; theirs replace equal keys.
  ///   - type: F32, F16, BF16 or Q8_0, or any other that GGUF can store as it is.
  init(
    _ graph: ModelGraph, from source: any RecipeSource, as type: StorageType?,
    tokenizer: [(key: String, value: GGUFValue)] = []
  ) throws {
    let export = try GGUFExport(graph)
    let metadata: [(key: String, value: GGUFValue)] = export.metadata.members.compactMap { member in
      if tokenizer.contains(where: { $0.key == member.key }) { return nil }
      return GGUFValue(member.value).map { (member.key, $0) }
    }
    try self.init(
      export.tensors, constants: export.constants, from: source, metadata: metadata + tokenizer,
      as: type, warnings: export.warnings)
  }

  /// - Parameter keepsTypes: Whether every tensor keeps its type, vectors too.
  init(
    _ tensors: [GGUFExport.Tensor], constants: [GGUFExport.Constant] = [],
    from source: any RecipeSource, metadata: [(key: String, value: GGUFValue)],
    keeping keepsTypes: Bool = false, as type: StorageType?, warnings: [Warning] = []
  ) throws {
    self.source = RecipeReader(source)
    self.warnings = warnings
    var stored = constants.map {
      GGUFLayout.Tensor(name: $0.name, type: .element(.f32), shape: [$0.values.count])
    }
    stored += tensors.map { tensor in
      GGUFLayout.Tensor(
        name: tensor.parameter.name,
        type: keepsTypes ? .element(tensor.parameter.type) : Self.type(tensor, wanted: type),
        shape: tensor.shape)
    }
    contents = constants.map { .constant($0.values) } + tensors.map { .recipe($0.parameter) }
    var metadata = metadata
    if let number = Self.fileType(stored) {
      metadata.append(("general.file_type", .uint32(number)))
    }
    if stored.contains(where: { $0.type == .block(.q80) }) {
      metadata.append(("general.quantization_version", .uint32(2)))
    }
    layout = try GGUFLayout(stored, metadata: metadata)
  }

  private static func type(_ tensor: GGUFExport.Tensor, wanted: StorageType?) -> StorageType {
    if tensor.isSingle { return .element(.f32) }
    guard case .block(let block)? = wanted, let row = tensor.shape.last else {
      return wanted ?? .element(tensor.parameter.type)
    }
    return row % block.elementCount == 0 ? .block(block) : .element(.f16)
  }

  /// llama.cpp's number for what most matrices are; readers show it and decide nothing by it.
  private static func fileType(_ tensors: [GGUFLayout.Tensor]) -> UInt32? {
    let matrices = tensors.filter { $0.shape.count > 1 }
    let counts = Dictionary(grouping: matrices, by: \.type).mapValues(\.count)
    switch counts.max(by: { ($0.value, "\($0.key)") < ($1.value, "\($1.key)") })?.key {
    case .element(.f32): return 0
    case .element(.f16): return 1
    case .block(.q80): return 7
    case .element(.bf16): return 32
    default: return nil
    }
  }

  /// Creates the file at `path`, which must not exist, a few rows at a time.
  func write(
    to path: String, allowOverflow: Bool, progress: @escaping (Int, Int) -> Void
  ) throws -> WrittenFile {
    let stream = TensorStream(
      reader: source, allowOverflow: allowOverflow,
      total: layout.entries.reduce(0) { $0 + $1.range.count }, progress)
    var writer = try GGUFWriter(creating: path, layout: layout)
    for (entry, content) in zip(layout.entries, contents) {
      switch content {
      case .recipe(let parameter):
        try stream.append(parameter, as: entry.tensor.type, to: &writer)
      case .constant(let values):
        var bytes = [UInt8](repeating: 0, count: values.count * 4)
        var raw = bytes.mutableRawSpan
        _ = try encode(values.span, as: .f32, into: &raw)
        try writer.write(bytes.rawSpan)
        stream.advance(bytes.count)
      }
    }
    return try writer.finish()
  }
}
