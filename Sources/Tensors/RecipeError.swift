package import ByteIO

/// Why a recipe cannot be carried out on a source.
package struct RecipeError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The source has no such tensor.
    case missing
    /// Rows are asked for that the tensor does not have.
    case rowsOutside(Range<Int>, count: Int)
    /// Rows of the source have another number of elements than those of the result.
    case rowLength(found: Int, wanted: Int)
    /// A row does not fill whole bytes, so that it cannot be taken alone.
    case partialBytes(StorageType)
  }

  package var problem: Problem
  package var tensor: String?

  package init(_ problem: Problem, tensor: TensorName) {
    self.problem = problem
    self.tensor = tensor.string
  }

  package var code: String {
    switch problem {
    case .missing: "recipe.missing_tensor"
    case .rowsOutside: "recipe.rows_outside"
    case .rowLength: "recipe.row_length"
    case .partialBytes: "recipe.partial_bytes"
    }
  }

  package var kind: FailureKind {
    if case .partialBytes = problem { .unsupported } else { .malformed }
  }

  package var message: String {
    switch problem {
    case .missing: "the source has no such tensor"
    case .rowsOutside(let rows, let count): "rows \(rows) are wanted, but there are \(count)"
    case .rowLength(let found, let wanted):
      "a row has \(found) elements, but must have \(wanted)"
    case .partialBytes(let type): "rows of type \(type) do not fill whole bytes"
    }
  }
}
