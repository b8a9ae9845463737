import ByteIO
import JSON
import Tensors

extension SafetensorsError {
  package var message: String {
    switch problem {
    case .file(let error): error.message
    case .tooShort(let count):
      "a safetensors file has at least 8 bytes; this one has \(count)"
    case .headerEmpty: "the header length is 0"
    case .headerTooLarge(let count):
      "the header length is \(count); at most \(SafetensorsFile.headerLimit) bytes are allowed"
    case .headerPastEnd(let count, let left):
      "the header takes \(count) bytes, but \(left) follow its length"
    case .notSafetensors(let signature): "not a safetensors file; it looks like \(signature)"
    case .json(let problem): "the header: " + JSONError(problem, at: 0).message
    case .headerNotObject: "the header is JSON, but not an object"
    case .duplicateKey(let key, let first):
      "the key \"\(key)\" occurs twice in one object, first at byte \(first)"
    case .metadataNotObject: "__metadata__ must be an object"
    case .metadataNotString(let key): "__metadata__: the value of \"\(key)\" must be a string"
    case .reservedName: "__metadata__ cannot be the name of a tensor"
    case .nameEmpty: "a tensor has an empty name"
    case .nameHasNUL: "a tensor's name contains a NUL character"
    case .nameTooLong(let count):
      "a tensor's name has \(count) bytes; at most \(SafetensorsFile.nameLimit) are allowed"
    case .nameTwice: "two tensors would have this name"
    default: tensorMessage
    }
  }

  /// The sentences on the fields of one tensor and its place.
  private var tensorMessage: String {
    switch problem {
    case .entryNotObject: "the tensor's entry must be an object"
    case .fieldMissing(let field): "the field \"\(field)\" is missing"
    case .fieldInvalid(let field, let found, let wanted): "\(field) is \(found), \(wanted) expected"
    case .typeUnknown(let type):
      "unknown dtype \(type); known are "
        + ElementType.safetensorsTypes.map(\.rawValue).joined(separator: ", ")
    case .rankTooLarge(let rank):
      "\(rank) dimensions; at most \(SafetensorsFile.rankLimit) are allowed"
    case .overflow(let what): "\(what) does not fit in 64 bits"
    case .fractionalBytes(let shape, let type):
      "\(product(shape)) elements of \(type.bitWidth) bits do not fill a whole number of bytes"
    case .sizeMismatch(let shape, let type, let count, let span):
      "\(product(shape)) × \(type.bitWidth) bits (\(type)) is \(count) bytes, "
        + "but data_offsets span \(span)"
    case .offsetsReversed(let begin, let end): "data_offsets end at \(end), before \(begin)"
    case .hole(let from, let to): "data bytes \(from) to \(to) belong to no tensor"
    case .overlap(let other, let range, let otherRange):
      "data bytes \(range.lowerBound) to \(range.upperBound) overlap tensor \(other) "
        + "at \(otherRange.lowerBound) to \(otherRange.upperBound)"
    case .dataShort(let expected, let actual):
      "the tensors end at byte \(expected) of the file, but it has \(actual)"
    case .dataTrailing(let expected, let actual):
      "the tensors end at byte \(expected) of the file, but it has \(actual): "
        + "\(actual - expected) bytes belong to no tensor"
    default: ""
    }
  }

  package var hint: String? {
    switch problem {
    case .file(let error): error.hint
    case .notSafetensors(.gitLFSPointer): "fetch the file itself with `git lfs pull`"
    case .notSafetensors(.html): "download the file again, and look at what the server answers"
    case .notSafetensors: "give it its own ending, or convert it with `ckpt convert`"
    case .headerPastEnd, .dataShort: "the file was cut short: copy or download it again"
    default: nil
    }
  }

  private func product(_ shape: [Int]) -> String {
    shape.isEmpty ? "1" : shape.map(String.init).joined(separator: " × ")
  }
}
