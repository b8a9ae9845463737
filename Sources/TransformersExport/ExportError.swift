package import ByteIO

/// Why a model cannot be written for another program.
package struct ExportError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// Transformers has a class of its own for a model that does not recur.
    case notRecurrent
    /// A family's recurrence that neither the exported modelling code nor plain layers compute.
    case recursByItself(family: String)
    /// No class of transformers is known for the family.
    case unknownFamily(String)
    /// The family's configuration in transformers cannot say what the model computes.
    case notExpressible(String, String)
    /// The exported modelling code does not compute something that a block does.
    case notInModellingCode(String)
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
    case .recursByItself: "export.recurs_by_itself"
    case .unknownFamily: "export.unknown_family"
    case .notExpressible: "export.not_expressible"
    case .notInModellingCode: "export.not_in_code"
    case .notPlain: "export.not_plain"
    }
  }

  package var message: String {
    switch problem {
    case .notRecurrent: "the model is not recurrent"
    case .recursByItself(let family):
      "models of \(family) recur by themselves, with the final norm in the recurrence; they are not "
        + "exported"
    case .unknownFamily(let family): "no transformers class is known for \(family)"
    case .notExpressible(let family, let reason):
      "the configuration of \(family) in transformers cannot express what this model computes: \(reason)"
    case .notInModellingCode(let part):
      "the exported modelling code does not compute \(part) yet"
    case .notPlain(let recurrence, let reason):
      "plain layers cannot compute this model at r = \(recurrence): \(reason)"
    }
  }

  package var hint: String? {
    switch problem {
    case .notRecurrent: "`ckpt convert` writes a source model as a Hugging Face folder"
    case .recursByItself: "`ckpt convert` writes the model in other formats, as its family has it"
    case .notPlain: "export it with --to transformers, which keeps the recurrence"
    default: nil
    }
  }
}
