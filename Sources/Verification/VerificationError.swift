package import ByteIO

/// Why a verification cannot be carried out; that a check fails is no error.
package struct VerificationError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// A block has no tensor for a part that its style needs.
    case missingPart(String)
    /// The package's model is not recurrent.
    case notRecurrent
    /// The source has fewer layers than the package says it was made from.
    case sourceTooShort(layers: Int, needed: Int)
    /// The source is no plain model.
    case sourceRecurrent
    /// What lies in the report's place is none.
    case malformedReport
  }

  package var problem: Problem
  package var file: String?

  package init(_ problem: Problem, file: String? = nil) {
    self.problem = problem
    self.file = file
  }

  package var kind: FailureKind {
    switch problem {
    case .missingPart, .malformedReport: .malformed
    case .notRecurrent, .sourceTooShort, .sourceRecurrent: .unsupported
    }
  }

  package var code: String {
    switch problem {
    case .missingPart: "verify.missing_part"
    case .notRecurrent: "verify.not_recurrent"
    case .sourceTooShort: "verify.source_too_short"
    case .sourceRecurrent: "verify.source_recurrent"
    case .malformedReport: "verify.malformed_report"
    }
  }

  package var message: String {
    switch problem {
    case .missingPart(let role): "a block has no \(role)"
    case .notRecurrent: "the package's model is not recurrent"
    case .sourceTooShort(let layers, let needed):
      "the source has \(layers) layers, but the package was made from one of at least \(needed)"
    case .sourceRecurrent: "the source is a recurrent model itself"
    case .malformedReport: "this is not a report of `ckpt verify`, or its certificate is damaged"
    }
  }

  package var hint: String? {
    switch problem {
    case .missingPart: nil
    case .notRecurrent: "make a package with `ckpt retrofit`"
    case .sourceTooShort, .sourceRecurrent: "give the model that the package was made from"
    case .malformedReport: "remove it, or have `ckpt verify --report` write it anew"
    }
  }
}
