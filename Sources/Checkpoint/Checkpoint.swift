public import ByteIO
public import JSON
public import Tensors

/// One face for every format: the tensors of what is at a path, its config and its side files.
///
/// Opening reads headers only, and no more of them than the tensor table needs.
public struct Checkpoint: RecipeSource, Sendable {
  /// What the weight files are.
  public enum Format: String, Sendable { case safetensors, torch, gguf }
  package enum Layout: String, Sendable { case file, folder }

  /// A file of the folder that holds no weights.
  package struct SideFile: Sendable {
    package var name: String
    package var region: ByteRegion

    package init(name: String, region: ByteRegion) {
      self.name = name
      self.region = region
    }
  }

  /// The path, as it was given.
  public let path: String
  /// What the weight files are.
  public let format: Format
  package let layout: Layout
  /// The tensors of all weight files: in the order of the files, then of their position. A weight
  /// that is stored as codes and scales is one tensor here, of the decoded values.
  public let tensors: [TensorRecord]
  /// The folder's `config.json`, without what it says of a quantisation that is decoded; nil when
  /// it has none, or a single file was opened.
  public let config: JSONObject?
  /// What the first weight file says of itself: `__metadata__`, or GGUF's keys and values.
  public let metadata: JSONObject?
  /// Everything else in the folder, in byte order of the names: tokenizer, licence, card.
  package var sideFiles: [SideFile]
  /// Paths of the weight files and their index, all that was read for the tensors.
  package let inputs: [String]
  /// What was odd but allowed.
  package let warnings: [Warning]

  /// How the weights were quantised that `tensors` shows decoded; nil when none are.
  package let dequantised: Dequantisation?
  /// Why tensors hold codes that are shown as they are; nil when none do.
  package let quantisation: Quantisation?

  /// What the weight files hold.
  let stored: StoredTensors
  private let weights: [TensorName: QuantisedWeight]
  /// Stored tensors that are no tensors of their own: scales, zero points.
  private let operands: Set<TensorName>

  /// Puts together what was found; the tensors' names must be distinct.
  init(
    path: String, layout: Layout, weights: WeightFiles, config: JSONObject? = nil,
    sideFiles: [SideFile] = [], warnings: [Warning] = []
  ) throws {
    self.path = path
    self.layout = layout
    format = weights.format
    metadata = weights.metadata
    inputs = weights.inputs
    stored = try StoredTensors(weights.containers, path: path)
    let plan = try QuantisationPlan(config, stored)
    self.config = plan.config
    self.sideFiles = sideFiles.filter { !plan.describes($0.name) }
    self.weights = plan.weights
    operands = plan.operands
    tensors = plan.tensors
    dequantised = plan.dequantised
    quantisation = plan.refused
    self.warnings =
      warnings + weights.warnings + stored.containers.flatMap(\.warnings) + plan.warnings
  }

  /// What is known of the tensor `name`; nil when there is none.
  public func record(_ name: TensorName) -> TensorRecord? {
    if let weight = weights[name] { return weight.record }
    return operands.contains(name) ? nil : stored.record(name)
  }

  package func region(_ name: TensorName) -> ByteRegion? {
    weights[name] == nil ? stored.region(name) : nil
  }

  /// Fills `bytes` with those of tensor `name` from `offset` on, row-major and little-endian.
  public func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    guard let weight = weights[name] else { return try stored.read(name, at: offset, into: &bytes) }
    try weight.read(at: offset, from: stored, into: &bytes)
  }

  /// Fills `values` with the elements `elements` of tensor `name`, row-major, as float32.
  ///
  /// `values` has room for exactly as many, and they lie within the tensor; of a quantised type, they
  /// start and end at borders of its blocks. Complex numbers are refused.
  public func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    guard let weight = weights[name] else {
      return try stored.readFloats(name, elements: elements, into: &values)
    }
    try weight.readFloats(elements, from: stored, into: &values)
  }
}
