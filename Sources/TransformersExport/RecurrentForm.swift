import JSON
import RecurrentPackage

/// The programs that a recurrent folder brings code for.
package enum RecurrentForm: String, Sendable {
  /// Hugging Face transformers, and what runs its models: trainers, vLLM.
  case transformers
  /// mlx-lm.
  case mlx

  /// How `config.json` names the code.
  var members: JSONObject {
    switch self {
    case .transformers:
      [
        "auto_map": [
          "AutoConfig": "configuration_recurrent.RecurrentConfig",
          "AutoModel": "modeling_recurrent.RecurrentModel",
          "AutoModelForCausalLM": "modeling_recurrent.RecurrentForCausalLM",
        ]
      ]
    case .mlx: ["model_file": "recurrent_mlx.py"]
    }
  }

  var code: [PackageContents.SideFile] {
    switch self {
    case .transformers: ModellingCode.transformers
    case .mlx: ModellingCode.mlx
    }
  }

  /// Other tags of the card than that of the recurrence, and the program that the model is for.
  var library: (name: String, tags: [String]) {
    switch self {
    case .transformers: ("transformers", ["custom_code"])
    case .mlx: ("mlx", ["custom_code", "mlx"])
    }
  }

  /// What a card says about running the model, from its heading on.
  func usage(depth: Int, toolVersion: ToolVersion) -> String {
    switch self {
    case .transformers:
      """
      ## With transformers

      Exported by ckpt \(toolVersion.number); works with transformers 4.51 and newer. The model's
      code is in this folder, so it is loaded with `trust_remote_code`.

      ```python
      from transformers import AutoModelForCausalLM, AutoTokenizer

      model = AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True)
      tokenizer = AutoTokenizer.from_pretrained(FOLDER, trust_remote_code=True)
      inputs = tokenizer("Once upon a time", return_tensors="pt")
      output = model.generate(**inputs, num_steps=\(depth), max_new_tokens=32)
      print(tokenizer.decode(output[0]))
      ```

      `num_steps` is the number of passes through the core, \(depth) when it is not given; `forward`
      also takes a pair, passes without gradient and passes with.

      `train.py` trains the model with a recipe of `ckpt train`, on one GPU or, under `torchrun`, on
      many; `python train.py --help` says how.

      vLLM serves it at \(depth) passes, and at others with `--hf-overrides '{"mean_recurrence": 4}'`:

          vllm serve FOLDER --trust-remote-code --model-impl transformers

      """
    case .mlx:
      """
      ## With mlx-lm

      Exported by ckpt \(toolVersion.number). The model's code is in this folder, so it is loaded with
      `trust_remote_code`.

      ```python
      from mlx_lm import generate, load

      model, tokenizer = load(FOLDER, trust_remote_code=True)
      print(generate(model, tokenizer, "Once upon a time", max_tokens=32))
      ```

      It runs \(depth) passes through the core; `load(..., model_config={"mean_recurrence": 4})`, or
      the field of that name in `config.json`, asks for others.

      """
    }
  }
}
