package import ByteIO
package import Tensors

/// Why a checkpoint's codes cannot be the values that its configuration says they are.
package struct QuantisationError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// No tensor holds codes, though the configuration names a method.
    case noCodes(method: String)
    /// The configuration says this of one of its fields, which is against the rule.
    case field(String, value: String, rule: String)
    /// A tensor that the codes need is missing.
    case missing(TensorName)
    /// Scales, zero points or group indices without codes.
    case orphan
    /// The tensor is there, though the configuration says this.
    case unwanted(String)
    /// The element type is not what the method stores there.
    case wrongType(StorageType, wanted: String)
    case wrongShape([Int], wanted: String)
    /// The configuration leaves the module out of what it says of the codes.
    case leftOut(String)
    /// The decoded weight has the name of another tensor.
    case taken
    case badScale(Float, row: Int, column: Int)
    /// A zero point that decoders read in two ways.
    case badZeroPoint(Int, row: Int, column: Int)
    /// A column's group, which is outside of those that have scales.
    case badGroup(Int, column: Int, groups: Int)
    /// A group that has a scale, but no column. Libraries that count only groups with columns would
    /// take other scales.
    case emptyGroup(Int)
    /// Values are too large for the type.
    case overflow(Overflow, ElementType)
  }

  package var problem: Problem
  package var path: String
  package var name: TensorName?

  package init(_ problem: Problem, path: String, tensor: TensorName? = nil) {
    self.problem = problem
    self.path = path
    name = tensor
  }

  package var file: String? { path }
  package var tensor: String? { name?.string }
  package var kind: FailureKind {
    if case .badZeroPoint = problem { .unsupported } else { .malformed }
  }

  package var code: String {
    switch problem {
    case .noCodes: "quantised.no_codes"
    case .field: "quantised.field"
    case .missing: "quantised.missing"
    case .orphan: "quantised.orphan"
    case .unwanted: "quantised.unwanted"
    case .wrongType: "quantised.type"
    case .wrongShape: "quantised.shape"
    case .leftOut: "quantised.left_out"
    case .taken: "quantised.taken"
    case .badScale: "quantised.scale"
    case .badZeroPoint: "quantised.zero_point"
    case .badGroup, .emptyGroup: "quantised.group"
    case .overflow: "quantised.overflow"
    }
  }

  package var message: String {
    switch problem {
    case .noCodes(let method):
      "quantization_config says \(method), but no tensor holds such codes"
    case .field(let field, let value, let rule):
      "\(field) of quantization_config is \(value), but must be \(rule)"
    case .missing(let name): "its codes need \(name), which is missing"
    case .orphan: "it belongs to codes that are missing"
    case .unwanted(let reason): "it is there, though \(reason)"
    case .wrongType(let found, let wanted): "its type is \(found), but must be \(wanted)"
    case .wrongShape(let found, let wanted): "its shape is \(found), but must be \(wanted)"
    case .leftOut(let entry):
      "it holds codes, but quantization_config leaves out its module by the entry \"\(entry)\""
    case .taken: "it is stored beside the codes that are to be decoded to it"
    case .badScale(let value, let row, let column):
      "the scale at row \(row), column \(column) is \(value), but must be finite and not zero"
    case .badZeroPoint(let code, let row, let column):
      "the zero point at row \(row), column \(column) is stored as \(code), one less than "
        + "\(code + 1), which does not fit: some decoders take it for 0, others for \(code + 1)"
    case .badGroup(let group, let column, let groups):
      "column \(column) belongs to group \(group), but there are \(groups)"
    case .emptyGroup(let group): "group \(group) has no columns"
    case .overflow(let overflow, let type):
      "\(overflow.count) decoded values, up to \(overflow.maximum), are too large for \(type)"
    }
  }

  package var hint: String? {
    if case .badZeroPoint = problem {
      return "give the original checkpoint, or one with checkpoint_format gptq_v2"
    }
    return
      "fetch the checkpoint again as it was published: its config.json and its weights do not match"
  }
}

/// A variant of a known method that is not decoded.
struct UnreadVariant: Error {
  var variant: String
  var tensor: TensorName?

  init(_ variant: String, tensor: TensorName? = nil) {
    self.variant = variant
    self.tensor = tensor
  }
}
