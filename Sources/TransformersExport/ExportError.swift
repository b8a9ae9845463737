package import ByteIO

/// Why a model cannot be written for another program.
package struct ExportError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// Transformers has a class of its own for a model that does not recur.
    case notRecurrent
    /// No class of transformers is known for the family.
    case unknownFamily(String)
    /// The family's class has no place for these biases.
    case biases(String)
    /// Plain layers cannot compute what the recurrence computes.
    case notPlain(recurrence: Int, reason: String)
  }

  package var problem: Problem
  package var file: String?

  package init(_ problem: Problem, file: String? = nil) {
    self.problem = problem
    self.file = file
  }

  package var kind: FailureKind { .unsupported }

  package var code: String {
    switch problem {
    case .notRecurrent: "export.not_recurrent"
    case .unknownFamily: "export.unknown_family"
    case .biases: "export.biases"
    case .notPlain: "export.not_plain"
    }
  }

  package var message: String {
    switch problem {
    case .notRecurrent: "the model is not recurrent"
    case .unknownFamily(let family): "no class of transformers is known for \(family)"
    case .biases(let family):
      "the model has biases that the configuration of \(family) in transformers cannot say"
    case .notPlain(let recurrence, let reason):
      "plain layers cannot compute this model at r = \(recurrence): \(reason)"
    }
  }

  package var hint: String? {
    switch problem {
    case .notRecurrent: "`ckpt convert` writes a source model as a Hugging Face folder"
    case .notPlain: "export it with --to transformers, which keeps the recurrence"
    default: nil
    }
  }
}
