import ByteIO
import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Checkpoint

@Suite("which files are the weights")
struct WeightChoiceTests {
  let folder = TemporaryFolder()

  func write(_ names: [TensorName], to file: String) throws {
    try folder.write(try CheckpointTests.weights(names), to: file)
  }

  func writeIndex(
    _ map: [(String, String)], to file: String = "model.safetensors.index.json"
  ) throws {
    try folder.write(CheckpointTests.index(map), to: file)
  }

  func code() -> String? {
    do {
      _ = try Checkpoint.open(folder.path)
      return nil
    } catch { return (error as? any DiagnosedError)?.code }
  }

  @Test("SI-11 checkpoint.single_and_index: the single file is used, and that is said")
  func both() throws {
    try write(["a"], to: "model.safetensors")
    try write(["a"], to: "model-00001-of-00001.safetensors")
    try writeIndex([("a", "model-00001-of-00001.safetensors")])
    let checkpoint = try Checkpoint.open(folder.path)
    #expect(checkpoint.inputs == [folder.file("model.safetensors")])
    #expect(checkpoint.warnings.map(\.code) == ["checkpoint.single_and_index"])
  }

  @Test("the usual name comes first, then the only one; several are refused")
  func names() throws {
    try write(["a"], to: "other.safetensors")
    #expect(try Checkpoint.open(folder.path).inputs == [folder.file("other.safetensors")])
    try write(["a"], to: "third.safetensors")
    #expect(code() == "checkpoint.ambiguous")
    try write(["a"], to: "model.safetensors")
    #expect(try Checkpoint.open(folder.path).inputs == [folder.file("model.safetensors")])
  }

  @Test("safetensors come before PyTorch, trainer state is no weights")
  func formats() throws {
    try folder.write([1], to: "pytorch_model.bin")
    try folder.write([1], to: "optimizer.pt")
    try write(["a"], to: "weights.safetensors")
    #expect(try Checkpoint.open(folder.path).format == .safetensors)
    try FileManager.default.removeItem(atPath: folder.file("weights.safetensors"))
    try FileManager.default.removeItem(atPath: folder.file("pytorch_model.bin"))
    #expect(code() == "checkpoint.no_weights")
  }

  static let foreign: [(names: [String], kind: ForeignCheckpoint)] = [
    (["__0_0.distcp", "__1_0.distcp"], .distributed),
    (["bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt"], .deepSpeed),
    (["latest", "zero_to_fp32.py"], .deepSpeed),
    (["consolidated.00.pth", "consolidated.01.pth", "params.json"], .metaParts),
    (["latest_checkpointed_iteration.txt"], .megatron),
    (["config.json", "tf_model.h5"], .tensorFlow), (["flax_model.msgpack"], .flax),
    (["weights.npz"], .numpy), (["model.onnx"], .onnx),
  ]

  @Test("checkpoint.foreign: other programs' checkpoints are refused by name", arguments: foreign)
  func refusesForeign(names: [String], kind: ForeignCheckpoint) throws {
    for name in names { try folder.write([1], to: name) }
    let error = #expect(throws: CheckpointError.self) { try Checkpoint.open(folder.path) }
    #expect(error?.problem == .foreign(kind))
    #expect(error?.code == "checkpoint.foreign")
    #expect(error?.hint != nil)
  }

  @Test("checkpoint.adapter: a PEFT adapter is read, and it is said that it is no model")
  func adapter() throws {
    try write(["a.lora_A.weight"], to: "adapter_model.safetensors")
    try folder.write(Array("{}".utf8), to: "adapter_config.json")
    #expect(try Checkpoint.open(folder.path).warnings.map(\.code) == ["checkpoint.adapter"])
  }

  @Test("the one file of model states beside optimizer states is the weights")
  func deepSpeedStates() throws {
    try write(["a"], to: "mp_rank_00_model_states.pt")
    try folder.write([1], to: "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt")
    #expect(try Checkpoint.open(folder.path).tensors.count == 1)
  }

  @Test("SI-4 index.shard_missing: a shard that is not there")
  func shardMissing() throws {
    try write(["a"], to: "x.safetensors")
    try writeIndex([("a", "x.safetensors"), ("b", "y.safetensors")])
    #expect(code() == "index.shard_missing")
    try write(["c"], to: "y.safetensors")
    #expect(code() == "index.tensor_unlisted")
    try write([], to: "y.safetensors")
    #expect(code() == "index.tensor_missing")
    try write(["b", "a"], to: "y.safetensors")
    #expect(code() == "index.tensor_twice")
    try write(["b"], to: "y.safetensors")
    #expect(code() == nil)
  }

  @Test("SI-3 index.unsafe_link: a shard that is a link out of the folder")
  func link() throws {
    let outside = TemporaryFolder()
    try outside.write(try CheckpointTests.weights(["a"]), to: "x")
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("x.safetensors"), withDestinationPath: outside.file("x"))
    try writeIndex([("a", "x.safetensors")])
    #expect(code() == "index.unsafe_link")
  }

  @Test("links of the Hugging Face cache stay inside: snapshots point into blobs")
  func cache() throws {
    try folder.write(try CheckpointTests.weights(["a"]), to: "models--x/blobs/0123")
    try folder.write([1], to: "models--x/blobs/4567")
    let snapshot = folder.file("models--x/snapshots/abcd")
    try FileManager.default.createDirectory(atPath: snapshot, withIntermediateDirectories: true)
    try folder.write(
      CheckpointTests.index([("a", "x.safetensors")]),
      to: "models--x/snapshots/abcd/model.safetensors.index.json")
    for (name, blob) in [("x.safetensors", "0123"), ("tokenizer.json", "4567")] {
      try FileManager.default.createSymbolicLink(
        atPath: snapshot + "/" + name, withDestinationPath: "../../blobs/" + blob)
    }
    let checkpoint = try Checkpoint.open(snapshot)
    #expect(checkpoint.tensors.map(\.name) == ["a"])
    #expect(checkpoint.sideFiles.map(\.name) == ["tokenizer.json"])
    #expect(checkpoint.warnings.isEmpty)
  }

  @Test("shards without an index are read when their set is whole")
  func set() throws {
    try write(["a"], to: "model-00001-of-00002.safetensors")
    #expect(code() == "checkpoint.shard_missing")
    try write(["b"], to: "model-00002-of-00002.safetensors")
    #expect(try Checkpoint.open(folder.path).tensors.map(\.name) == ["a", "b"])
    try write(["a"], to: "model-00002-of-00002.safetensors")
    #expect(code() == "checkpoint.tensor_twice")
    try write(["b"], to: "other-00002-of-00002.safetensors")
    #expect(code() == "checkpoint.ambiguous")
  }
}
