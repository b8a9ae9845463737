package import ByteIO
import JSON
package import Tensors

/// The index of a checkpoint in several files: which shard holds which tensor.
///
/// Hugging Face writes one for safetensors and one for PyTorch shards, in the same form. Rules are
/// numbered SI-1 to SI-9 in `formats/safetensors.md`.
package struct ShardIndex: Equatable, Sendable {
  /// Largest index that is read, in bytes.
  package static let sizeLimit = 64 << 20

  /// Path of the index.
  package let path: String
  /// The shard of each tensor, as a path relative to the index's folder.
  package let weightMap: [TensorName: String]
  /// The shards, each once, in byte order.
  package let shards: [String]
  /// Bytes of all tensors, as the index claims.
  package let totalSize: Int?

  /// Reads an index and checks its own form; the shards are not touched.
  package init(_ region: ByteRegion) throws(ShardIndexError) {
    path = region.path
    let root = try Self.parse(region)
    guard let map = root["weight_map"]?.object, !map.isEmpty else {
      throw ShardIndexError(.noWeightMap, path: path)
    }
    var weightMap: [TensorName: String] = [:]
    var shards: Set<ExactString> = []
    for member in map.members {
      guard case .string(let shard) = member.value else {
        throw ShardIndexError(.noWeightMap, path: path, at: member.valueOffset)
      }
      if shards.insert(ExactString(shard)).inserted, !Self.isSafe(shard) {
        throw ShardIndexError(.unsafePath(shard), path: path, at: member.valueOffset)
      }
      weightMap[TensorName(member.key)] = shard
    }
    self.weightMap = weightMap
    self.shards = shards.sorted().map(\.string)
    totalSize = root["metadata"]?["total_size"]?.integer
    for shard in self.shards {
      let name = shard.split(separator: "/").last.map(String.init) ?? shard
      if let count = ShardName(name)?.count, count != self.shards.count {
        throw ShardIndexError(.shardCount(shard, named: self.shards.count), path: path)
      }
    }
  }

  /// Compares the index with the tensors of its shards; `tensors` goes with `shards`, one by one.
  ///
  /// - Parameter tiedByteCount: Bytes of tensors that share those of another, which writers count
  ///   once or once for each name.
  /// - Returns: A warning when `total_size` is not the sum of the tensors' sizes (SI-9).
  package func check(
    _ tensors: [[TensorRecord]], tiedByteCount: Int = 0
  ) throws(ShardIndexError) -> [Warning] {
    var holders: [TensorName: String] = [:]
    var total = 0
    for (shard, records) in zip(shards, tensors) {
      for record in records {
        guard weightMap[record.name] != nil else {
          throw ShardIndexError(.tensorUnlisted(shard: shard), path: path, tensor: record.name)
        }
        if let first = holders.updateValue(shard, forKey: record.name) {
          throw ShardIndexError(.tensorTwice(first, shard), path: path, tensor: record.name)
        }
        total = total.addingReportingOverflow(record.byteCount).partialValue
      }
    }
    let missing = weightMap.filter { holders[$0.key] != $0.value }
    if let (name, shard) = missing.min(by: { $0.key < $1.key }) {
      throw ShardIndexError(.tensorMissing(shard: shard), path: path, tensor: name)
    }
    guard let totalSize, totalSize != total, totalSize != total - tiedByteCount else { return [] }
    return [
      Warning(
        "index.total_size", "total_size is \(totalSize), but the tensors have \(total) bytes",
        file: path)
    ]
  }

  private static func parse(_ region: ByteRegion) throws(ShardIndexError) -> JSONObject {
    let bytes: [UInt8]
    do { bytes = try region.contents(limit: sizeLimit) } catch {
      throw ShardIndexError(.file(error), path: region.path)
    }
    do throws(JSONError) {
      if case .object(let object) = try JSONValue(parsing: bytes) { return object }
    } catch {
      throw ShardIndexError(.json(error.problem), path: region.path, at: error.position)
    }
    throw ShardIndexError(.notObject, path: region.path, at: 0)
  }

  /// SI-3: whether the path stays inside the folder, on every platform.
  private static func isSafe(_ path: String) -> Bool {
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return !path.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "\\") }
      && !parts.contains { $0.isEmpty || $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }
  }
}
