package import ByteIO
package import JSON
package import Tensors

/// Why bytes are not a safetensors file, or tensors cannot become one.
///
/// A case for every rule of `formats/safetensors.md`; the comment gives its number.
package struct SafetensorsError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The file could not be read.
    case file(FileError)
    /// ST-1: fewer than eight bytes.
    case tooShort(byteCount: Int)
    /// ST-2: the header length is zero.
    case headerEmpty
    /// ST-2: the header is longer than the limit.
    case headerTooLarge(byteCount: UInt64)
    /// ST-2: the header would end after the file does.
    case headerPastEnd(byteCount: Int, left: Int)
    /// ST-1: the bytes are another format's.
    case notSafetensors(FileSignature)
    /// ST-3: the header is not JSON.
    case json(JSONError.Problem)
    /// ST-3: the header is JSON, but no object.
    case headerNotObject
    /// ST-4: a key occurs twice in one object; the first is at byte `first`.
    case duplicateKey(String, first: Int)
    /// ST-5: `__metadata__` is no object of strings.
    case metadataNotObject
    case metadataNotString(key: String)
    /// ST-5: a tensor is called `__metadata__`.
    case reservedName
    /// ST-6: names.
    case nameEmpty
    case nameHasNUL
    case nameTooLong(byteCount: Int)
    /// ST-4: two tensors to be written have one name.
    case nameTwice
    /// ST-7: the fields of a tensor.
    case entryNotObject
    case fieldMissing(String)
    case fieldInvalid(String, found: String, wanted: String)
    /// ST-8: the element type is none of the format's.
    case typeUnknown(String)
    /// ST-9: more dimensions than the limit.
    case rankTooLarge(Int)
    /// ST-9: a number, the element count or the size exceeds 64 bits.
    case overflow(String)
    /// ST-10: elements narrower than a byte do not fill a whole number of bytes.
    case fractionalBytes(shape: [Int], ElementType)
    /// ST-10: shape and type give another size than the offsets.
    case sizeMismatch(shape: [Int], ElementType, byteCount: Int, span: Int)
    /// ST-11: the offsets run backwards.
    case offsetsReversed(begin: Int, end: Int)
    /// ST-12: bytes before this tensor belong to no tensor.
    case hole(from: Int, to: Int)
    /// ST-12: the tensor shares bytes with another.
    case overlap(with: TensorName, Range<Int>, Range<Int>)
    /// ST-13: the file ends before its last tensor.
    case dataShort(expected: Int, actual: Int)
    /// ST-13: bytes follow the last tensor.
    case dataTrailing(expected: Int, actual: Int)
  }

  package var problem: Problem
  package var path: String?
  package var position: Int?
  package var name: TensorName?

  package init(
    _ problem: Problem, path: String? = nil, at position: Int? = nil, tensor: TensorName? = nil
  ) {
    self.problem = problem
    self.path = path
    self.position = position
    name = tensor
  }

  package var file: String? { path }
  package var offset: Int? { position }
  package var tensor: String? { name?.string }

  package var kind: FailureKind {
    switch problem {
    case .file(let error): error.kind
    default: .malformed
    }
  }

  package var code: String {
    switch problem {
    case .file(let error): error.code
    case .tooShort: "st.too_short"
    case .headerEmpty: "st.header_empty"
    case .headerTooLarge: "st.header_too_large"
    case .headerPastEnd: "st.header_past_end"
    case .notSafetensors: "st.not_safetensors"
    case .json(let problem): "st.header_" + JSONError(problem, at: 0).code.dropFirst("json.".count)
    case .headerNotObject: "st.header_not_object"
    case .duplicateKey, .nameTwice: "st.duplicate_key"
    case .metadataNotObject: "st.metadata_not_object"
    case .metadataNotString: "st.metadata_not_string"
    case .reservedName: "st.name_reserved"
    case .nameEmpty: "st.name_empty"
    case .nameHasNUL: "st.name_nul"
    case .nameTooLong: "st.name_too_long"
    case .entryNotObject: "st.entry_not_object"
    case .fieldMissing: "st.field_missing"
    case .fieldInvalid: "st.field_invalid"
    case .typeUnknown: "st.dtype_unknown"
    case .rankTooLarge: "st.rank_too_large"
    case .overflow: "st.overflow"
    case .fractionalBytes: "st.fractional_bytes"
    case .sizeMismatch: "st.size_mismatch"
    case .offsetsReversed: "st.offsets_reversed"
    case .hole: "st.hole"
    case .overlap: "st.overlap"
    case .dataShort: "st.data_short"
    case .dataTrailing: "st.data_trailing"
    }
  }
}
