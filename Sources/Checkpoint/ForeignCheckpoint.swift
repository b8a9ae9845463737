/// Somebody else's checkpoint, told by the names of a folder's files: parts of one model that only the
/// program that wrote them can join, or another framework's weights.
package enum ForeignCheckpoint: Equatable, Sendable, CaseIterable {
  /// PyTorch's distributed checkpoints, also those of torchtitan and FSDP.
  case distributed
  /// ZeRO partitions, whose weights lie in the optimizers' states.
  case deepSpeed
  /// Tensor-parallel parts as Meta publishes them.
  case metaParts
  case megatron
  case tensorFlow
  case flax
  case numpy
  case onnx

  /// The kind that `names` tell; nil when they tell none.
  init?(_ names: [String]) {
    guard let kind = Self.allCases.first(where: { kind in names.contains(where: kind.isSign) })
    else {
      return nil
    }
    self = kind
  }

  private func isSign(_ name: String) -> Bool {
    switch self {
    case .distributed: name.hasSuffix(".distcp")
    case .deepSpeed: name.hasSuffix("_optim_states.pt") || name == "zero_to_fp32.py"
    case .metaParts: name.hasPrefix("consolidated.01.")
    case .megatron: name == "latest_checkpointed_iteration.txt"
    case .tensorFlow: [".h5", ".ckpt.index"].contains(where: name.hasSuffix)
    case .flax: name.hasSuffix(".msgpack")
    case .numpy: [".npz", ".npy"].contains(where: name.hasSuffix)
    case .onnx: name.hasSuffix(".onnx")
    }
  }

  /// A noun phrase, such as `TensorFlow weights`.
  var description: String {
    switch self {
    case .distributed: "the parts of a distributed checkpoint (DCP)"
    case .deepSpeed: "a DeepSpeed checkpoint, whose weights are spread over optimizer states"
    case .metaParts: "the tensor-parallel parts of a model as Meta publishes it"
    case .megatron: "a Megatron checkpoint"
    case .tensorFlow: "TensorFlow weights"
    case .flax: "Flax weights"
    case .numpy: "NumPy arrays"
    case .onnx: "an ONNX program"
    }
  }

  var hint: String {
    switch self {
    case .distributed:
      "join them with python -m torch.distributed.checkpoint.format_utils dcp_to_torch"
    case .deepSpeed: "join it with DeepSpeed's zero_to_fp32.py"
    case .metaParts: "join them with transformers' convert_llama_weights_to_hf.py"
    case .megatron: "convert it to a Hugging Face folder with Megatron's own tools"
    case .tensorFlow: "load them in transformers with from_tf=True, then save_pretrained"
    case .flax: "load them in transformers with from_flax=True, then save_pretrained"
    case .numpy: "save them as tensors with safetensors.numpy.save_file"
    case .onnx: "use the weights that the program was exported from"
    }
  }
}
