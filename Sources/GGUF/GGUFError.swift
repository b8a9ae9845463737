package import ByteIO
package import Tensors

/// Why bytes are not a GGUF file, or tensors cannot become one.
///
/// A case for every rule of `formats/gguf.md`; the comment gives its number.
package struct GGUFError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The file could not be read.
    case file(FileError)
    /// GG-1: fewer bytes than the shortest header.
    case tooShort(byteCount: Int)
    /// GG-1: the first four bytes are not `GGUF`.
    case notGGUF(FileSignature?)
    /// GG-1: a format that came before GGUF.
    case oldFormat(String)
    /// GG-2: a version other than 2 and 3.
    case version(UInt32)
    /// GG-2: the version reads right when its bytes are swapped.
    case bigEndian(version: UInt32)
    /// GG-3: more entries than the file has room for.
    case tensorCount(UInt64, limit: Int)
    case metadataCount(UInt64, limit: Int)
    /// GG-3: the file ends inside the header.
    case truncated(needed: Int, left: Int)
    /// GG-4: keys.
    case keyEmpty
    case keyTooLong(byteCount: UInt64)
    case keyNotUTF8
    case duplicateKey(String)
    /// GG-5: a value type that does not exist.
    case valueType(UInt32)
    /// GG-5: a bool that is neither 0 nor 1.
    case boolValue(UInt8)
    /// GG-6: strings.
    case stringTooLong(byteCount: UInt64)
    case stringPastEnd(byteCount: UInt64, left: Int)
    /// GG-7: arrays.
    case arrayPastEnd(count: UInt64, GGUFValueType, left: Int)
    case arrayNested
    /// GG-8: `general.alignment`.
    case alignmentType(GGUFValueType)
    case alignment(UInt32)
    /// GG-9: tensor names.
    case nameEmpty
    case nameTooLong(byteCount: UInt64)
    case nameHasNUL
    case nameNotUTF8
    case duplicateTensor
    /// GG-10: dimensions.
    case rank(UInt32)
    case dimension(UInt64)
    /// GG-11: element types.
    case typeRemoved(UInt32, name: String)
    case typeUnknown(UInt32)
    /// GG-12: sizes.
    case partialBlock(row: Int, BlockType)
    case overflow([Int], StorageType)
    /// GG-13: the offset is not a multiple of the alignment.
    case offsetUnaligned(UInt64, alignment: Int)
    /// GG-14: the order of the data.
    case offsetOrder(UInt64, expected: Int)
    case overlap(with: TensorName, Range<Int>, Range<Int>)
    case hole(from: Int, to: Int)
    /// GG-15: the end of the data.
    case offsetPastEnd(UInt64, byteCount: Int)
    case dataShort(expected: Int, actual: Int)
    /// GG-16: files of a split model.
    case splitAlone(number: Int, of: Int)
    case splitKey(String)
    case splitName(count: Int)
    case splitMissing(String)
    case splitMismatch(key: String, expected: Int, found: Int)
    /// The blocks are understood but cannot be decoded.
    case noDequantiser(BlockType)
    /// The type cannot be stored in a GGUF file.
    case noStorage(StorageType)
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
    case .version(1), .bigEndian, .oldFormat, .noDequantiser, .noStorage, .splitAlone, .typeRemoved:
      .unsupported
    default: .malformed
    }
  }

  package var code: String {
    if case .file(let error) = problem { return error.code }
    return "gguf." + rule
  }

  private var rule: String {
    switch problem {
    case .file: "file"
    case .tooShort: "too_short"
    case .notGGUF: "not_gguf"
    case .oldFormat: "old_format"
    case .version: "version"
    case .bigEndian: "big_endian"
    case .tensorCount: "tensor_count"
    case .metadataCount: "metadata_count"
    case .truncated: "truncated"
    case .keyEmpty: "key_empty"
    case .keyTooLong: "key_too_long"
    case .keyNotUTF8: "key_not_utf8"
    case .duplicateKey: "duplicate_key"
    case .valueType: "value_type"
    case .boolValue: "bool_value"
    case .stringTooLong: "string_too_long"
    case .stringPastEnd: "string_past_end"
    case .arrayPastEnd: "array_past_end"
    case .arrayNested: "array_nested"
    case .alignmentType: "alignment_type"
    case .alignment: "alignment"
    case .nameEmpty: "name_empty"
    case .nameTooLong: "name_too_long"
    case .nameHasNUL: "name_nul"
    case .nameNotUTF8: "name_not_utf8"
    case .duplicateTensor: "duplicate_tensor"
    case .rank: "rank"
    case .dimension: "dimension"
    case .typeRemoved: "type_removed"
    case .typeUnknown: "type_unknown"
    case .partialBlock: "partial_block"
    case .overflow: "overflow"
    case .offsetUnaligned: "offset_unaligned"
    case .offsetOrder: "offset_order"
    case .overlap: "overlap"
    case .hole: "hole"
    case .offsetPastEnd: "offset_past_end"
    case .dataShort: "data_short"
    case .splitAlone: "split_alone"
    case .splitKey: "split_key"
    case .splitName: "split_name"
    case .splitMissing: "split_missing"
    case .splitMismatch: "split_mismatch"
    case .noDequantiser: "no_dequantiser"
    case .noStorage: "no_storage"
    }
  }
}
