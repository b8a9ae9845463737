import ByteIO
import Foundation
import JSON
import Safetensors
import Tensors

/// A Llama whose weights are a hole in a file: as large as wanted, and no disk space.
package func sparseSource(in folder: TemporaryFolder, hidden: Int, layers: Int) throws -> String {
  let (h, m, v) = (hidden, 3 * hidden, 1000)
  var tensors: [SafetensorsLayout.Tensor] = []
  func add(_ name: String, _ shape: [Int]) {
    tensors.append(.init(name: TensorName(name), type: .bf16, shape: shape))
  }
  add("model.embed_tokens.weight", [v, h])
  add("model.norm.weight", [h])
  add("lm_head.weight", [v, h])
  for i in 0..<layers {
    let layer = "model.layers.\(i)."
    for name in ["input_layernorm", "post_attention_layernorm"] {
      add("\(layer)\(name).weight", [h])
    }
    for name in ["q", "k", "v", "o"] { add("\(layer)self_attn.\(name)_proj.weight", [h, h]) }
    for name in ["gate", "up"] { add("\(layer)mlp.\(name)_proj.weight", [m, h]) }
    add(layer + "mlp.down_proj.weight", [h, m])
  }
  let layout = try SafetensorsLayout(tensors)
  let path = try folder.write(layout.header, to: "source/model.safetensors")
  let handle = try FileHandle(forWritingTo: URL(filePath: path))
  try handle.truncate(atOffset: UInt64(layout.byteCount))
  try handle.close()
  let config: JSONValue = [
    "model_type": "llama", "hidden_size": JSONValue(h), "intermediate_size": JSONValue(m),
    "num_attention_heads": 8, "num_hidden_layers": JSONValue(layers), "vocab_size": JSONValue(v),
    "max_position_embeddings": 256, "rms_norm_eps": 1e-05, "tie_word_embeddings": false,
  ]
  try folder.write(Array(config.text().utf8), to: "source/config.json")
  return folder.file("source")
}
