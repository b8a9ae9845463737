import ByteIO
import Checkpoint
import ModelGraph
import Models
import Safetensors
import Tensors
import TorchArchive
import WeightWriting

/// Writes one weight file of a layout that says where everything will lie.
protocol ShardWriter: TensorSink, ~Copyable {
  associatedtype Layout: Sendable

  init(creating path: String, layout: Layout) throws(FileError)
  mutating func finish() throws(FileError) -> WrittenFile
}

extension SafetensorsWriter: ShardWriter {}
extension TorchWriter: ShardWriter {}

/// Weight files of one format that are still to be written, and the other files of their folder.
struct WeightOutput<Writer: ShardWriter & ~Copyable> {
  /// One weight file.
  struct Shard {
    var name: String
    var layout: Writer.Layout
    var byteCount: Int
    /// Bytes of its tensors alone.
    var tensorByteCount: Int
    /// What is written, in the layout's order.
    var parameters: [Parameter]
  }

  fileprivate let shards: [Shard]
  fileprivate let reader: RecipeReader
  /// Nil for a file alone.
  fileprivate let folder: FolderFiles?

  /// Bytes of all files.
  var byteCount: Int { shards.reduce(folder?.byteCount ?? 0) { $0 + $1.byteCount } }

  /// Writes everything to `staged`; outside a folder, the one weight file alone.
  ///
  /// - Parameter progress: Called with the bytes of tensors written so far, and of all.
  func write(
    to staged: StagedOutput, allowOverflow: Bool, progress: @escaping (Int, Int) -> Void
  ) throws -> [Conversion.File] {
    let stream = TensorStream(
      reader: reader, allowOverflow: allowOverflow,
      total: shards.reduce(0) { $0 + $1.tensorByteCount }, progress)
    var files: [Conversion.File] = []
    for shard in shards {
      let path = folder == nil ? staged.temporary : staged.path(shard.name)
      var writer = try Writer(creating: path, layout: shard.layout)
      for parameter in shard.parameters {
        try stream.append(parameter, as: .element(parameter.type), to: &writer)
      }
      let name = folder == nil ? staged.destination : shard.name
      files.append(.init(name: name, try writer.finish()))
    }
    return files + (try folder?.write(to: staged) ?? [])
  }
}

extension WeightOutput where Writer: ~Copyable, Writer == SafetensorsWriter {
  /// - Parameters:
  ///   - limit: Most bytes of tensors in a file; nil for one file.
  ///   - type: The type that was asked for, told in a folder's configuration.
  init(_ tensors: WantedTensors, limit: Int?, isFolder: Bool, type: ElementType?) throws {
    // What is left out is told as `safetensors.torch.save_model` tells it: the name, and the one
    // to take instead.
    let ties = tensors.omitted.map { (key: $0.name.string, value: $0.kept.string) }
    let plan = try ShardPlan(
      tensors.parameters.map { .init(name: $0.name, type: $0.type, shape: $0.shape) },
      limit: limit, metadata: [("format", "pt")] + ties)
    let parameters = Dictionary(tensors.parameters.map { ($0.name, $0) }) { first, _ in first }
    shards = plan.shards.map { shard in
      Shard(
        name: shard.name, layout: shard.layout, byteCount: shard.layout.byteCount,
        tensorByteCount: shard.layout.entries.reduce(0) { $0 + $1.range.count },
        parameters: shard.layout.entries.compactMap { parameters[$0.tensor.name] })
    }
    reader = tensors.source.reader
    folder = isFolder ? FolderFiles(of: tensors.source, index: plan.index, type: type) : nil
  }
}

extension WeightOutput where Writer: ~Copyable, Writer == TorchWriter {
  /// - Parameters:
  ///   - limit: Most bytes of tensors in a file; nil for one file.
  ///   - type: The type that was asked for, told in a folder's configuration.
  init(_ tensors: WantedTensors, limit: Int?, isFolder: Bool, type: ElementType?) throws {
    // A tie is one more name for a storage, which can only be of the same file.
    let groups = tensors.groups
    let division = try ShardDivision(
      groups.map { group in
        ShardDivision.Item(
          names: group.map(\.name),
          byteCount: StorageType.element(group[0].type).byteCount(elements: group[0].elementCount)
            ?? 0,
          elementCount: group[0].elementCount)
      }, limit: limit, stem: "pytorch_model", ending: ".bin")
    shards = try division.shards.map { shard in
      let layout = try TorchLayout(groups[shard.items].flatMap(Self.names))
      return Shard(
        name: shard.name, layout: layout, byteCount: layout.byteCount,
        tensorByteCount: layout.entries.reduce(0) { $0 + $1.range.count },
        parameters: groups[shard.items].map { $0[0] })
    }
    reader = tensors.source.reader
    folder = isFolder ? FolderFiles(of: tensors.source, index: division.index, type: type) : nil
  }

  /// A tensor and the other names of its storage.
  private static func names(_ group: [Parameter]) -> [TorchLayout.Tensor] {
    group.enumerated().map { i, parameter in
      .init(
        name: parameter.name, type: parameter.type, shape: parameter.shape,
        tie: i == 0 ? nil : group[0].name)
    }
  }
}
