import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Tensors

/// Tensors of models of several families: each configuration is read over all of them.
private let tables: [[TensorRecord]] = [
  "golden/tiny-llama/source", "golden/tiny-llama/retrofit", "families/gemma2-default/model",
  "families/qwen3moe-default/model", "families/phi3-default/model",
].compactMap { try? Checkpoint.open("fixtures/" + $0).tensors }

/// Called by libFuzzer with each input: a configuration.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard case .object(let config)? = try? JSONValue(parsing: bytes) else { return 0 }
  precondition(!tables.isEmpty, "runs in the project's folder")
  for tensors in tables {
    guard let graph = try? ModelGraph.read(config: config, tensors: tensors) else { continue }
    precondition(graph.sizes.hidden > 0 && !graph.blocks.isEmpty, "a graph has blocks")
    precondition(
      graph.parameters.allSatisfy { parameter in parameter.shape.allSatisfy { $0 > 0 } },
      "parameters have elements")
  }
  return 0
}
