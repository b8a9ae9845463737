package import ByteIO
package import Checkpoint

/// Why what is at a path cannot be used as a model.
package struct ModelError: DiagnosedError, Equatable {
  package enum Problem: Equatable {
    /// The weights say nothing of their architecture.
    case noConfig
    /// Nothing says how text becomes tokens.
    case noTokenizer
    /// The command needs a recurrent model.
    case notRecurrent
    /// The command needs a source model.
    case alreadyRecurrent
    /// The tensors hold codes of a kind that is not decoded.
    case quantised(Quantisation)
    /// A PEFT adapter, and the model that it belongs to.
    case adapter(base: String?)
    case otherLayout(OtherLayout)
    /// A tokenizer in this file, which is not read.
    case otherTokenizer(String)
    /// Nothing is there, but the Hugging Face Hub may have a repository of the name.
    case repositoryName
    /// The root of a repository in the download cache, and the folders that hold its files.
    case cacheRoot(snapshots: [String])
    /// The path is the folder of a training run, with this package; nil before the first is written.
    case isRun(package: String?)
  }

  package var path: String
  package var problem: Problem

  package init(_ path: String, _ problem: Problem) {
    self.path = path
    self.problem = problem
  }

  package var file: String? { path }
  package var tensor: String? {
    if case .quantised(let found) = problem { found.tensor?.string } else { nil }
  }
  package var kind: FailureKind {
    switch problem {
    case .noConfig, .noTokenizer, .isRun, .repositoryName, .cacheRoot: .inputOutput
    case .notRecurrent, .alreadyRecurrent, .quantised, .adapter, .otherLayout, .otherTokenizer:
      .unsupported
    }
  }

  package var code: String {
    switch problem {
    case .noConfig: "model.no_config"
    case .noTokenizer: "model.no_tokenizer"
    case .notRecurrent: "model.not_recurrent"
    case .alreadyRecurrent: "model.already_recurrent"
    case .quantised: "model.quantised"
    case .isRun: "model.is_run"
    case .adapter: "model.adapter"
    case .otherLayout: "model.other_layout"
    case .otherTokenizer: "model.other_tokenizer"
    case .repositoryName: "model.not_found"
    case .cacheRoot: "model.cache_root"
    }
  }

  package var message: String {
    switch problem {
    case .noConfig: "there is no config.json to say what model these weights belong to"
    case .noTokenizer: "no tokenizer.json, and no tokenizer in the weights' metadata"
    case .notRecurrent: "the model is not recurrent"
    case .alreadyRecurrent: "the model is already recurrent"
    case .quantised(let found):
      "the weights are quantised (\(found.method)), which is not decoded"
        + (found.variant.map { " in this variant: \($0)" } ?? "")
    case .isRun: "this is the folder of a training run, not a model"
    case .adapter(let base):
      "this is an adapter (PEFT)" + (base.map { " of \($0)" } ?? "") + ", not a model"
    case .otherLayout(let layout): "this is \(layout.description), which is not read"
    case .otherTokenizer(let file):
      file == "vocab.json"
        ? "vocab.json and merges.txt do not say how text is split, and no known tokenizer_class does"
        : "the tokenizer is only in \(file), which is not read"
    case .repositoryName: "there is no such file or folder"
    case .cacheRoot: "this is the root of a repository in the download cache, not a model's folder"
    }
  }

  package var hint: String? {
    switch problem {
    case .noConfig: "give the folder that holds config.json and the weights, not the weight file"
    case .noTokenizer: "put the model's tokenizer.json into the folder"
    case .notRecurrent: "make a recurrent package from it with `ckpt retrofit`"
    case .alreadyRecurrent: "give the source model"
    case .quantised(let found): found.advice
    case .adapter(let base):
      """
      merge it first: PeftModel.from_pretrained(\(base ?? "the base model"), …).merge_and_unload(), \
      then save_pretrained, and give that folder
      """
    case .otherLayout(let layout): layout.hint
    case .otherTokenizer:
      """
      write tokenizer.json with transformers: AutoTokenizer.from_pretrained(FOLDER)\
      .save_pretrained(FOLDER)
      """
    case .repositoryName:
      "if it is a repository on the Hugging Face Hub, run `hf download \(path) --local-dir FOLDER`"
    case .cacheRoot(let snapshots):
      snapshots.isEmpty
        ? "it has no snapshot: download the repository again"
        : "give " + snapshots.prefix(3).joined(separator: " or ")
    case .isRun(let package?): "its trained model is \(package)"
    case .isRun(nil): "it has no package yet: let `ckpt train` finish, or go on with --resume"
    }
  }
}

extension Quantisation {
  /// Where weights are to be had that can be read.
  fileprivate var advice: String {
    switch method {
    case "mlx": "give the original checkpoint, or dequantise it with `mlx_lm.convert --dequantize`"
    case "bitsandbytes":
      """
      give the original checkpoint; or load it in transformers, call the model's dequantize(), and \
      save that
      """
    default:
      """
      give the original checkpoint in bf16 or float16, or save a dequantised one with the tool that \
      quantised it
      """
    }
  }
}
