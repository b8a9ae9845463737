package import ByteIO
package import JSON
package import Tensors

/// Why an index does not describe its shards; the rules are SI-1 to SI-8 of
/// `formats/safetensors.md`.
package struct ShardIndexError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The index could not be read.
    case file(FileError)
    /// SI-1: not JSON, or not an object.
    case json(JSONError.Problem)
    case notObject
    /// SI-2: `weight_map` is missing, empty, or no object of strings.
    case noWeightMap
    /// SI-3: a shard's path is absolute, or has an empty, `.` or `..` part, a backslash or a NUL.
    case unsafePath(String)
    /// SI-3: a shard is a link to a place outside the folder.
    case unsafeLink(String)
    /// SI-4: a shard is not there.
    case shardMissing(String)
    /// SI-5: the tensor is not in the shard that the index names.
    case tensorMissing(shard: String)
    /// SI-6: the tensor is in a shard, but not in the index.
    case tensorUnlisted(shard: String)
    /// SI-7: the tensor is in two shards.
    case tensorTwice(String, String)
    /// SI-8: the names of the shards say there are more or fewer of them.
    case shardCount(String, named: Int)
  }

  package var problem: Problem
  package var path: String
  package var position: Int?
  package var name: TensorName?

  package init(
    _ problem: Problem, path: String, at position: Int? = nil, tensor: TensorName? = nil
  ) {
    self.problem = problem
    self.path = path
    self.position = position
    name = tensor
  }

  package var file: String? { path }
  package var offset: Int? { position }
  package var tensor: String? { name?.string }

  package var kind: FailureKind {
    if case .file(let error) = problem { error.kind } else { .malformed }
  }

  package var code: String {
    switch problem {
    case .file(let error): error.code
    case .json(.duplicateKey): "index.duplicate_key"
    case .json, .notObject: "index.not_json"
    case .noWeightMap: "index.no_weight_map"
    case .unsafePath: "index.unsafe_path"
    case .unsafeLink: "index.unsafe_link"
    case .shardMissing: "index.shard_missing"
    case .tensorMissing: "index.tensor_missing"
    case .tensorUnlisted: "index.tensor_unlisted"
    case .tensorTwice: "index.tensor_twice"
    case .shardCount: "index.shard_count"
    }
  }

  package var message: String {
    switch problem {
    case .file(let error): error.message
    case .json(let problem): "the index: " + JSONError(problem, at: 0).message
    case .notObject: "the index is JSON, but not an object"
    case .noWeightMap: "the index needs a weight_map: a non-empty object from tensor to shard"
    case .unsafePath(let shard):
      "the index names the shard \"\(shard)\", which is not a path inside the folder"
    case .unsafeLink(let shard): "the shard \(shard) is a link that leaves the folder"
    case .shardMissing(let shard): "the index names the shard \(shard), which is not there"
    case .tensorMissing(let shard): "the index places it in \(shard), which does not hold it"
    case .tensorUnlisted(let shard): "it is in \(shard), but not in the index"
    case .tensorTwice(let first, let second): "it is in two shards, \(first) and \(second)"
    case .shardCount(let shard, let count):
      "the name \(shard) does not fit an index of \(count) shards"
    }
  }

  package var hint: String? {
    switch problem {
    case .shardMissing: "download the missing shard into the same folder"
    default: nil
    }
  }
}
