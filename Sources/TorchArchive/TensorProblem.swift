import ByteIO
package import Tensors

/// A broken rule of tensors and storages.
package enum TensorProblem: Equatable, Sendable {
  /// PT-40: no record for the storage.
  case storageMissing(key: String)
  case storageKey(String)
  /// PT-41: the record and the pickle disagree on the storage's size.
  case storageSize(key: String, expected: Int, actual: Int)
  /// PT-42: a storage class or element type that is not read.
  case storageType(String)
  /// PT-43: a tensor of a kind that is not read: quantised, sparse, on no device, …
  case kind(String)
  /// PT-43: the stored values are to be conjugated or negated.
  case lazyBit(String)
  /// PT-44: sizes and strides.
  case rank(sizes: Int, strides: Int)
  case rankTooLarge(Int, limit: Int)
  case negative(String, Int)
  case overflow
  /// PT-45: the view reaches outside its storage.
  case viewOffset(Int, elements: Int)
  case viewPastEnd(last: Int, elements: Int)
  /// PT-46: views repeat elements beyond all measure.
  case expanded(byteCount: Int, limit: Int)
  /// PT-48: a strided view of a large compressed storage.
  case compressedView(byteCount: Int, limit: Int)
  /// PT-33: two tensors with one name.
  case nameTwice
  /// PT-61: an element type that PyTorch has no tensors of.
  case noStorage(ElementType)
}

extension TensorProblem: TorchRule {
  var code: String {
    switch self {
    case .storageMissing: "pt.storage_missing"
    case .storageKey: "pt.storage_key"
    case .storageSize: "pt.storage_size"
    case .storageType: "pt.storage_type"
    case .kind: "pt.tensor_kind"
    case .lazyBit: "pt.lazy_bit"
    case .rank: "pt.rank"
    case .rankTooLarge: "pt.rank_too_large"
    case .negative: "pt.negative"
    case .overflow: "pt.overflow"
    case .viewOffset: "pt.view_offset"
    case .viewPastEnd: "pt.view_past_end"
    case .expanded: "pt.expanded_too_large"
    case .compressedView: "pt.compressed_view"
    case .nameTwice: "pt.duplicate_name"
    case .noStorage: "pt.no_storage"
    }
  }

  var kind: FailureKind {
    switch self {
    case .storageType, .kind, .lazyBit, .compressedView, .noStorage: .unsupported
    case .expanded: .resourceLimit
    default: .malformed
    }
  }

  var message: String {
    switch self {
    case .storageMissing(let key): "the archive has no record for the storage \"\(key)\""
    case .storageKey(let key): "\"\(key)\" cannot be a storage's key"
    case .storageSize(let key, let expected, let actual):
      "the storage \"\(key)\" must have \(expected) bytes, but its record has \(actual)"
    case .storageType(let name): "storages of type \(name) are not read"
    case .kind(let name): "tensors made by \(name) are not read"
    case .lazyBit(let name): "the tensor's values are stored without their \(name)"
    case .rank(let sizes, let strides): "the tensor has \(sizes) sizes, but \(strides) strides"
    case .rankTooLarge(let rank, let limit):
      "the tensor has \(rank) dimensions; at most \(limit) are allowed"
    case .negative(let what, let value): "the tensor has the \(what) \(value)"
    case .overflow: "the tensor's extent exceeds 64 bits"
    case .viewOffset(let offset, let elements):
      "the tensor starts at element \(offset) of a storage of \(elements)"
    case .viewPastEnd(let last, let elements):
      "the tensor reaches element \(last) of a storage of \(elements)"
    case .expanded(let count, let limit):
      "written out, the tensors up to this one take \(count) bytes; at most \(limit) are allowed"
        + " for the storages of this file"
    case .compressedView(let count, let limit):
      "the tensor is a strided view of a compressed storage of \(count) bytes; at most \(limit) are"
        + " read"
    case .nameTwice: "two tensors have this name"
    case .noStorage(let type): "PyTorch has no tensors of type \(type)"
    }
  }

  var hint: String? {
    switch self {
    case .kind: "convert the tensor to a dense one on the CPU before saving"
    case .lazyBit: "call resolve_conj().resolve_neg() before saving"
    case .compressedView: "unpack the archive and store it without compression"
    case .noStorage: "cast with --dtype, or write safetensors"
    case .storageMissing, .storageSize: "the file is damaged or incomplete; fetch it again"
    default: nil
    }
  }
}
