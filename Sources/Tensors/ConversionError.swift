package import ByteIO

/// Why elements of a type cannot be converted.
package struct ConversionError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The type holds no real numbers.
    case noValue(ElementType)
    /// Nothing can be cast to the type.
    case noCast(to: ElementType)
  }

  package var problem: Problem

  package init(_ problem: Problem) { self.problem = problem }

  package var code: String {
    switch problem {
    case .noValue: "cast.no_value"
    case .noCast: "cast.no_cast"
    }
  }

  package var kind: FailureKind { .unsupported }

  package var message: String {
    switch problem {
    case .noValue(let type): "\(type) elements have no float32 value"
    case .noCast(let type): "no cast to \(type)"
    }
  }

  package var hint: String? {
    "cast floating-point tensors to one of F64, F32, F16, BF16, F8_E4M3, F8_E5M2"
  }
}
