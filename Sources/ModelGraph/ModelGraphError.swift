package import ByteIO
package import Tensors

/// Why a configuration and a table of tensors are not a model this tool understands.
package struct ModelGraphError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// None of the spellings of a field that must be there is there.
    case missingField(String)
    /// A field has another JSON type than its meaning needs.
    case wrongType(field: String, wanted: String)
    /// A field's value breaks a rule.
    case invalidValue(field: String, value: String, rule: String)
    /// Two spellings of one field have different values.
    case conflictingFields(String, String)
    /// `model_type` names an architecture no family maps.
    case unsupportedArchitecture(String)
    /// `general.architecture` names one whose GGUF files are not read.
    case notReadFromGGUF(String)
    /// A model of a family, or a recurrent one, that is not written as GGUF.
    case notWrittenAsGGUF(String)
    /// A field asks for arithmetic that is not implemented.
    case unsupportedField(String, value: String)
    /// A field that is not on the family's list.
    case unknownField(String, value: String)
    /// GGUF has no hyper-parameter for something that the model computes.
    case notInGGUF(String)
    case missingTensors([String])
    /// Tensors that play no part, and so might change the numbers.
    case leftoverTensors([String])
    case wrongShape(found: [Int], wanted: [Int])
    case notFloatingPoint(ElementType)
    /// Two stored names become one when their prefixes are stripped.
    case duplicateName(String, String)
  }

  package var problem: Problem
  package var tensor: String?
  /// The file that has the configuration.
  package var configurationFile: String?

  package init(_ problem: Problem, tensor: String? = nil) {
    self.problem = problem
    self.tensor = tensor
  }

  /// The file at fault, where it is the configuration and not a tensor.
  package var file: String? {
    switch problem {
    case .missingField, .wrongType, .invalidValue, .conflictingFields, .unsupportedArchitecture,
      .notReadFromGGUF, .unsupportedField, .unknownField, .missingTensors, .leftoverTensors:
      configurationFile
    default: nil
    }
  }

  package var code: String {
    switch problem {
    case .missingField: "config.missing_field"
    case .wrongType: "config.wrong_type"
    case .invalidValue: "config.invalid_value"
    case .conflictingFields: "config.conflict"
    case .unsupportedArchitecture, .notReadFromGGUF, .notWrittenAsGGUF:
      "model.unsupported_architecture"
    case .unsupportedField: "config.unsupported_field"
    case .unknownField: "config.unknown_field"
    case .notInGGUF: "gguf.not_expressible"
    case .missingTensors: "model.missing_tensor"
    case .leftoverTensors: "model.unexpected_tensor"
    case .wrongShape: "model.wrong_shape"
    case .notFloatingPoint: "model.unsupported_type"
    case .duplicateName: "model.duplicate_name"
    }
  }

  package var kind: FailureKind {
    switch problem {
    case .unsupportedArchitecture, .unsupportedField, .unknownField, .leftoverTensors,
      .notFloatingPoint, .notInGGUF, .notReadFromGGUF, .notWrittenAsGGUF:
      .unsupported
    default: .malformed
    }
  }

  package var message: String {
    switch problem {
    case .missingField(let field): "the configuration has no \(field)"
    case .wrongType(let field, let wanted): "the configuration's \(field) is not \(wanted)"
    case .invalidValue(let field, let value, let rule):
      "the configuration's \(field) is \(value), but must be \(rule)"
    case .conflictingFields(let first, let second):
      "the configuration's \(first) and \(second) disagree"
    case .unsupportedArchitecture(let name):
      "the architecture \(name) is not supported; supported: "
        + Family.all.map(\.modelType).joined(separator: ", ")
    case .notReadFromGGUF(let name):
      "GGUF files of the architecture \(name) are not read; those that are: "
        + GGUFDialect.architectures.joined(separator: ", ")
    case .notWrittenAsGGUF(let name):
      "models of the family \(name) are not written as GGUF; those that are: "
        + GGUFDialect.written.joined(separator: ", ")
    case .unsupportedField(let field, let value):
      "the configuration's \(field) = \(value) asks for arithmetic that is not supported"
    case .unknownField(let field, let value):
      "the configuration's \(field) = \(value) is not on its family's list and may change the numbers"
    case .notInGGUF(let part): "GGUF cannot express \(part)"
    case .missingTensors(let names): "\(Self.list(names)) missing"
    case .leftoverTensors(let names):
      "\(Self.list(names)) not understood and may change the numbers"
    case .wrongShape(let found, let wanted): "the shape is \(found), but must be \(wanted)"
    case .notFloatingPoint(let type): "weights of type \(type) cannot be computed with"
    case .duplicateName(let first, let second):
      "\(first) and \(second) are the same tensor when prefixes are stripped"
    }
  }

  package var hint: String? {
    switch problem {
    case .missingField, .wrongType, .invalidValue, .conflictingFields:
      file.map { $0.hasSuffix(".gguf") } ?? false
        ? "make or download the GGUF file again, or use the model's Hugging Face folder"
        : "correct config.json, or download it again"
    case .unknownField(let field, _): "if the field has no effect, pass --ignore-field \(field)"
    case .unsupportedArchitecture(let name):
      Family.nearest(to: name).map {
        "the nearest family is \($0.modelType); docs/own-family.md says how to add one"
      }
    case .notReadFromGGUF(let name):
      Family.named(name) == nil
        ? "docs/own-family.md says what makes a model known"
        : "use the model's Hugging Face folder, which can be read"
    case .notWrittenAsGGUF:
      "write safetensors; of a source model, llama.cpp's convert_hf_to_gguf.py makes a GGUF file"
    case .notInGGUF("a core that recurs"):
      "`ckpt export --to unrolled` writes plain layers if they compute the same"
    case .wrongShape(let found, _) where found.contains(0):
      "a part of a model under FSDP is saved empty: save the full state dict of all ranks"
    case .wrongShape:
      "the wanted shape follows from the sizes in config.json: do they belong to these weights?"
    case .missingTensors: "check that all shards are there and belong to this configuration"
    case .leftoverTensors:
      "check that the configuration belongs to these weights; docs/own-family.md says how to "
        + "describe what a family does not have"
    case .unsupportedField:
      "docs/own-family.md says how to describe a model that computes this"
    default: nil
    }
  }

  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(8).joined(separator: ", ")
    let rest = names.count > 8 ? " and \(names.count - 8) more" : ""
    return "\(names.count == 1 ? "tensor" : "\(names.count) tensors") \(shown)\(rest)"
      + (names.count == 1 ? " is" : " are")
  }
}
