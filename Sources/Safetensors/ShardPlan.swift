import ByteIO
import Tensors

/// How tensors are spread over safetensors files of limited size, and the index that says so.
package struct ShardPlan: Sendable {
  package struct Shard: Sendable {
    /// File name, such as `model-00001-of-00003.safetensors`.
    package var name: String
    package var layout: SafetensorsLayout
  }

  /// In the order of the tensors; at least one.
  package let shards: [Shard]
  /// File name and text of the index; nil when one file holds everything.
  package let index: (name: String, text: String)?
  /// Bytes of all files, the index included.
  package let byteCount: Int

  /// Fills one shard after another with `tensors` in their order.
  ///
  /// - Parameters:
  ///   - limit: Most bytes of tensors in a shard, nil for a single file; a larger tensor gets a
  ///     shard of its own.
  ///   - metadata: `__metadata__` of every shard.
  ///   - stem: File name without its ending.
  package init(
    _ tensors: [SafetensorsLayout.Tensor], limit: Int?,
    metadata: [(key: String, value: String)] = [], stem: String = "model"
  ) throws(SafetensorsError) {
    let items = tensors.map { tensor in
      // A size that cannot be is refused by the layout.
      ShardDivision.Item(
        names: [tensor.name],
        byteCount: (try? EntryParser.byteCount(of: tensor.shape, tensor.type)) ?? 0,
        elementCount: elementCount(of: tensor.shape) ?? 0)
    }
    let division = try ShardDivision(items, limit: limit, stem: stem, ending: ".safetensors")
    var shards: [Shard] = []
    for shard in division.shards {
      let layout = try SafetensorsLayout(Array(tensors[shard.items]), metadata: metadata)
      shards.append(Shard(name: shard.name, layout: layout))
    }
    self.shards = shards
    index = division.index
    byteCount = shards.reduce(index?.text.utf8.count ?? 0) { $0 + $1.layout.byteCount }
  }
}
