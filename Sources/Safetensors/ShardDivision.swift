import ByteIO
import JSON
package import Tensors

/// How tensors are spread over files of limited size, whatever their format, and the index that
/// says so: `formats/safetensors.md`, SI-1 to SI-9.
package struct ShardDivision: Sendable {
  /// What must lie in one file: a tensor, and the names that share its bytes.
  package struct Item: Sendable {
    package var names: [TensorName]
    package var byteCount: Int
    package var elementCount: Int

    package init(names: [TensorName], byteCount: Int, elementCount: Int) {
      self.names = names
      self.byteCount = byteCount
      self.elementCount = elementCount
    }
  }

  package struct Shard: Sendable {
    /// File name, such as `model-00001-of-00003.safetensors`.
    package var name: String
    /// Indices of the items it holds.
    package var items: Range<Int>
  }

  /// In the order of the items; at least one.
  package let shards: [Shard]
  /// File name and text of the index; nil when one file holds everything.
  package let index: (name: String, text: String)?

  /// Fills one shard after another with `items` in their order.
  ///
  /// - Parameters:
  ///   - limit: Most bytes of tensors in a shard, nil for a single file; a larger item gets a
  ///     shard of its own.
  ///   - stem: File name without numbers and ending.
  ///   - ending: With its dot.
  package init(
    _ items: [Item], limit: Int?, stem: String, ending: String
  ) throws(SafetensorsError) {
    let ranges = Self.ranges(items, limit: limit ?? .max)
    shards = ranges.enumerated().map { i, range in
      let numbered = ShardName(stem: stem, number: i + 1, count: ranges.count, ending: ending)
      return Shard(name: ranges.count == 1 ? stem + ending : numbered.description, items: range)
    }
    index =
      shards.count == 1
      ? nil : ("\(stem)\(ending).index.json", try Self.indexText(shards, items))
  }

  private static func ranges(_ items: [Item], limit: Int) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var start = 0
    var filled = 0
    for (i, item) in items.enumerated() {
      let sum = filled.addingReportingOverflow(item.byteCount)
      if sum.overflow || sum.partialValue > limit, i > start {
        ranges.append(start..<i)
        start = i
        filled = 0
      }
      filled = filled.addingReportingOverflow(item.byteCount).partialValue
    }
    return ranges + [start..<items.count]
  }

  private static func indexText(
    _ shards: [Shard], _ items: [Item]
  ) throws(SafetensorsError) -> String {
    var map: [JSONObject.Member] = []
    var seen: Set<TensorName> = []
    var (size, parameters) = (0, 0)
    for shard in shards {
      for item in items[shard.items] {
        for name in item.names {
          guard seen.insert(name).inserted else { throw SafetensorsError(.nameTwice, tensor: name) }
          map.append(.init(key: name.string, value: .string(shard.name)))
        }
        size += item.byteCount
        // Far below what all files together could overflow, far above any disk.
        guard size < 1 << 60 else {
          throw SafetensorsError(.overflow("the size of all shards"), tensor: item.names.first)
        }
        parameters += item.elementCount
      }
    }
    let index: JSONValue = [
      "metadata": ["total_parameters": JSONValue(parameters), "total_size": JSONValue(size)],
      "weight_map": .object(JSONObject(map).sorted),
    ]
    return index.text(indent: 2) + "\n"
  }
}
