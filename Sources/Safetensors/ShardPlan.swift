import ByteIO
import JSON
import Tensors

/// How tensors are spread over files of limited size, and the index that says so.
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
    let groups = Self.groups(tensors, limit: limit ?? .max)
    var shards: [Shard] = []
    for (i, group) in groups.enumerated() {
      let layout = try SafetensorsLayout(group, metadata: metadata)
      let numbered = ShardName(
        stem: stem, number: i + 1, count: groups.count, ending: ".safetensors")
      let name = groups.count == 1 ? stem + numbered.ending : numbered.description
      shards.append(Shard(name: name, layout: layout))
    }
    self.shards = shards
    index =
      shards.count == 1 ? nil : ("\(stem).safetensors.index.json", try Self.indexText(shards))
    byteCount = shards.reduce(index?.text.utf8.count ?? 0) { $0 + $1.layout.byteCount }
  }

  private static func groups(
    _ tensors: [SafetensorsLayout.Tensor], limit: Int
  ) -> [[SafetensorsLayout.Tensor]] {
    var groups: [[SafetensorsLayout.Tensor]] = [[]]
    var filled = 0
    for tensor in tensors {
      // A size that cannot be is refused by the layout.
      let count = (try? EntryParser.byteCount(of: tensor.shape, tensor.type)) ?? 0
      let sum = filled.addingReportingOverflow(count)
      if sum.overflow || sum.partialValue > limit, !groups[groups.count - 1].isEmpty {
        groups.append([])
        filled = 0
      }
      groups[groups.count - 1].append(tensor)
      filled = filled.addingReportingOverflow(count).partialValue
    }
    return groups
  }

  private static func indexText(_ shards: [Shard]) throws(SafetensorsError) -> String {
    var map: [JSONObject.Member] = []
    var seen: Set<TensorName> = []
    var (size, parameters) = (0, 0)
    for shard in shards {
      for entry in shard.layout.entries {
        let name = entry.tensor.name
        guard seen.insert(name).inserted else { throw SafetensorsError(.nameTwice, tensor: name) }
        size += entry.range.count
        // Far below what all files together could overflow, far above any disk.
        guard size < 1 << 60 else {
          throw SafetensorsError(.overflow("the size of all shards"), tensor: name)
        }
        parameters += entry.tensor.shape.reduce(1, *)
        map.append(.init(key: name.string, value: .string(shard.name)))
      }
    }
    let index: JSONValue = [
      "metadata": ["total_parameters": JSONValue(parameters), "total_size": JSONValue(size)],
      "weight_map": .object(JSONObject(map).sorted),
    ]
    return index.text(indent: 2) + "\n"
  }
}
