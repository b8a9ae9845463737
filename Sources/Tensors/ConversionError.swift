package import ByteIO

/// Why elements of a type cannot be converted.
package struct ConversionError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The type holds no real numbers.
    case noValue(ElementType)
    /// Nothing can be cast to the type.
    case noCast(to: ElementType)
    /// Values are too large for the type, and that was not allowed.
    case overflow(Overflow, StorageType)
  }

  package var problem: Problem
  package var tensor: String?

  package init(_ problem: Problem, tensor: String? = nil) {
    self.problem = problem
    self.tensor = tensor
  }

  package var code: String {
    switch problem {
    case .noValue: "cast.no_value"
    case .noCast: "cast.no_cast"
    case .overflow: "cast.overflow"
    }
  }

  package var kind: FailureKind {
    if case .overflow = problem { .checkFailed } else { .unsupported }
  }

  package var message: String {
    switch problem {
    case .noValue(let type): "\(type) elements have no float32 value"
    case .noCast(let type): "no cast to \(type)"
    case .overflow(let overflow, let type):
      "\(overflow.count) values up to \(overflow.maximum) are too large for \(type)"
    }
  }

  package var hint: String? {
    switch problem {
    case .overflow: "choose a type with a wider range such as BF16, or pass --allow-overflow"
    default: "cast floating-point tensors to one of F64, F32, F16, BF16, F8_E4M3, F8_E5M2"
    }
  }
}
