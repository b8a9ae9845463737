import ByteIO
package import Checkpoint
import JSON

/// Another program's layout of a model, told by the names of its weight files.
package enum OtherLayout: Equatable, Sendable {
  case meta
  case mistral
  case litGPT
  case torchtune
  case fullyShardedParts

  /// - Parameter hasConfig: Whether a config.json lies beside.
  init?(_ name: String, hasConfig: Bool) {
    switch name {
    case "consolidated.safetensors": self = .mistral
    case "lit_model.pth": self = .litGPT
    case _ where name.hasPrefix("consolidated.") && name.hasSuffix(".pth"): self = .meta
    case _ where name.hasPrefix("pytorch_model_fsdp"): self = .fullyShardedParts
    // Some of torchtune's files are as transformers has them, and read beside a config.json.
    case _ where !hasConfig && name.hasSuffix(".pt"):
      let stem = name.dropLast(3)
      let isNumbered = stem.hasPrefix("model_") && stem.dropFirst(6).allSatisfy(\.isNumber)
      guard isNumbered || stem.hasPrefix("hf_model_") || stem.hasPrefix("meta_model_") else {
        return nil
      }
      self = .torchtune
    default: return nil
    }
  }

  var description: String {
    switch self {
    case .meta: "weights in the layout in which Meta publishes Llama"
    case .mistral: "weights in Mistral's own layout"
    case .litGPT: "a LitGPT checkpoint"
    case .torchtune: "a torchtune checkpoint without the model's config.json"
    case .fullyShardedParts: "what accelerate saved from a model under FSDP"
    }
  }

  var hint: String {
    switch self {
    case .meta: "convert it with transformers' convert_llama_weights_to_hf.py"
    case .mistral:
      "use the model's Hugging Face files: config.json and model.safetensors or its shards"
    case .litGPT:
      """
      convert it with `litgpt convert_from_litgpt`, and put the result beside the model's config.json \
      as model.safetensors or pytorch_model.bin
      """
    case .torchtune:
      """
      save it with torchtune's FullModelHFCheckpointer, or put config.json of the model that was \
      tuned into the folder
      """
    case .fullyShardedParts: "join it with `accelerate merge-weights`"
    }
  }
}

extension Checkpoint {
  /// Why this is no model by itself, when the names of its files tell.
  package func knownObstacle() throws -> ModelError? {
    let names = inputs.map { $0.split(separator: "/").last.map(String.init) ?? $0 }
    let adapter = sideFiles.first { $0.name == "adapter_config.json" }
    if let adapter, config == nil || names.allSatisfy({ $0.hasPrefix("adapter_") }) {
      let text = try adapter.region.contents(limit: 1 << 20)
      let base = try JSONValue(parsing: text, path: adapter.region.path)["base_model_name_or_path"]
      return ModelError(path, .adapter(base: base?.string))
    }
    let layouts = names.compactMap { OtherLayout($0, hasConfig: config != nil) }
    return layouts.first.map { ModelError(path, .otherLayout($0)) }
  }
}
