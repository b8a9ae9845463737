import ByteIO
import Tensors

extension GGUFError {
  package var message: String {
    switch problem {
    case .file(let error): error.message
    case .tooShort(let count): "\(count) bytes; a GGUF header has at least 24"
    case .notGGUF(let signature):
      "not a GGUF file" + (signature.map { "; it looks like \($0)" } ?? "")
    case .oldFormat(let magic): "a file of the \(magic) format, which came before GGUF"
    case .version(let version): "GGUF version \(version); versions 2 and 3 are read"
    case .bigEndian(let version): "a big-endian GGUF file of version \(version)"
    case .tensorCount(let count, let limit):
      "\(count) tensors; the file has room for at most \(limit)"
    case .metadataCount(let count, let limit):
      "\(count) metadata entries; the file has room for at most \(limit)"
    case .truncated(let needed, let left): "the header needs \(needed) more bytes, \(left) are left"
    case .typeRemoved, .typeUnknown, .partialBlock, .overflow, .rank, .dimension, .nameEmpty,
      .nameTooLong, .nameHasNUL, .nameNotUTF8, .duplicateTensor, .noDequantiser, .noStorage:
      tensorMessage
    case .offsetUnaligned, .offsetOrder, .overlap, .hole, .offsetPastEnd, .dataShort:
      layoutMessage
    case .splitAlone, .splitKey, .splitName, .splitMissing, .splitMismatch: splitMessage
    default: metadataMessage
    }
  }

  private var metadataMessage: String {
    switch problem {
    case .keyEmpty: "a metadata key is empty"
    case .keyTooLong(let count): "a metadata key of \(count) bytes; at most 65535 are allowed"
    case .keyNotUTF8: "a metadata key is not valid UTF-8"
    case .duplicateKey(let key): "the metadata key \(key) occurs twice"
    case .valueType(let type): "metadata type \(type); types 0 to 12 exist"
    case .boolValue(let value): "a bool of \(value); 0 and 1 are allowed"
    case .stringTooLong(let count):
      "a string of \(count) bytes; at most \(GGUFCursor.stringLimit) are read"
    case .stringPastEnd(let count, let left): "a string of \(count) bytes, \(left) are left"
    case .arrayPastEnd(let count, let type, let left):
      "an array of \(count) values of type \(type), \(left) bytes are left"
    case .arrayNested: "an array of arrays, which no reader of GGUF accepts"
    case .alignmentType(let type): "general.alignment has type \(type), not uint32"
    case .alignment(let value):
      "general.alignment is \(value), not a power of two up to \(GGUFFile.alignmentLimit)"
    default: code
    }
  }

  private var tensorMessage: String {
    switch problem {
    case .nameEmpty: "a tensor's name is empty"
    case .nameTooLong(let count):
      "a tensor's name has \(count) bytes; at most \(GGUFFile.nameLimit) are allowed"
    case .nameHasNUL: "a tensor's name contains a NUL byte"
    case .nameNotUTF8: "a tensor's name is not valid UTF-8"
    case .duplicateTensor: "two tensors have this name"
    case .rank(let rank): "\(rank) dimensions; at most \(GGUFFile.rankLimit) are allowed"
    case .dimension(let value): "a dimension of \(value); at most 2^63 - 1 is allowed"
    case .typeRemoved(let number, let name): "type \(number), \(name), was removed from the format"
    case .typeUnknown(let number): "tensor type \(number) is unknown"
    case .partialBlock(let row, let type):
      "rows of \(row) elements are not a whole number of \(type) blocks of \(type.elementCount)"
    case .overflow(let shape, let type): "a tensor of shape \(shape) and type \(type) exceeds 2^63"
    case .noDequantiser(let type): "\(type) blocks cannot be decoded"
    case .noStorage(let type): "a GGUF file cannot store \(type)"
    default: code
    }
  }

  private var layoutMessage: String {
    switch problem {
    case .offsetUnaligned(let offset, let alignment):
      "data offset \(offset) is not a multiple of the alignment \(alignment)"
    case .offsetOrder(let offset, let expected):
      "data offset \(offset) where \(expected) follows; tensors must lie in the order of the list"
    case .overlap(let other, let mine, let theirs):
      "data bytes \(mine) overlap \(theirs) of tensor \(other)"
    case .hole(let from, let to): "data bytes \(from) to \(to) belong to no tensor"
    case .offsetPastEnd(let offset, let count):
      "data offset \(offset); the file has \(count) bytes of data"
    case .dataShort(let expected, let actual):
      "the tensors need \(expected) bytes of data, but the file has \(actual)"
    default: code
    }
  }

  private var splitMessage: String {
    switch problem {
    case .splitAlone(let number, let count): "this is file \(number) of \(count) of a split model"
    case .splitKey(let key): "the metadata of a split file lacks a valid \(key)"
    case .splitName(let count):
      "one of \(count) files, but the name does not end as in -00001-of-00003.gguf"
    case .splitMissing(let name): "the file \(name) of the split model is missing"
    case .splitMismatch(let key, let expected, let found): "\(key) is \(found), not \(expected)"
    default: code
    }
  }

  package var hint: String? {
    switch problem {
    case .version(1), .oldFormat: "convert the model again with a current llama.cpp"
    case .bigEndian: "convert the file to little-endian with gguf-convert-endian"
    case .dataShort, .truncated: "the file is incomplete: copy or download it again"
    case .notGGUF(.gitLFSPointer): "fetch the file itself with git lfs pull"
    case .splitAlone: "give the path of a file in a folder that holds all files of the model"
    case .splitMissing: "put all files of the model into one folder"
    case .noDequantiser:
      "use a file with F32, F16, BF16, Q8_0, Q4_0 to Q5_1 or Q2_K to Q6_K tensors"
    case .noStorage: "cast to F32, F16, BF16 or Q8_0"
    default: nil
    }
  }
}
