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
    case .noConfig, .noTokenizer, .isRun: .inputOutput
    case .notRecurrent, .alreadyRecurrent, .quantised: .unsupported
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
    }
  }

  package var message: String {
    switch problem {
    case .noConfig: "no config.json says what model these weights make"
    case .noTokenizer: "no tokenizer.json, and no tokenizer in the weights' metadata"
    case .notRecurrent: "the model is not recurrent"
    case .alreadyRecurrent: "the model is recurrent already"
    case .quantised(let found):
      "the weights are quantised (\(found.method)), which is not decoded"
    case .isRun: "this is the folder of a training run, not a model"
    }
  }

  package var hint: String? {
    switch problem {
    case .noConfig: "give the folder that holds config.json and the weights, not the weight file"
    case .noTokenizer: "put the model's tokenizer.json into the folder"
    case .notRecurrent: "make a recurrent package of it with `ckpt retrofit`"
    case .alreadyRecurrent: "give the source model"
    case .quantised:
      """
      give the original checkpoint in bf16 or float16, or save a dequantised one with the tool that \
      quantised it
      """
    case .isRun(let package?): "its trained model is \(package)"
    case .isRun(nil): "it has no package yet: let `ckpt train` end, or go on with --resume"
    }
  }
}
