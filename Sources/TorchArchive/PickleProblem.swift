import ByteIO

/// A broken rule of the pickle language, or of the part of it that is interpreted.
package enum PickleProblem: Equatable, Sendable {
  /// PT-20: the pickle ends before STOP, or inside an argument.
  case truncated(needed: Int, left: Int)
  case tooLarge(byteCount: Int, limit: Int)
  /// PT-21: an opcode that is never interpreted; its name, when it is one of pickle's.
  case opcode(UInt8, String?)
  /// PT-22: a protocol other than 2 to 5, or stated twice.
  case version(Int)
  /// PT-23: an opcode wants more values than there are above the last mark, or a mark.
  case stack(String)
  /// PT-24: an index of the memo that was never set.
  case memo(UInt32)
  /// PT-25: bytes after STOP.
  case trailingBytes(Int)
  /// PT-26: a value of one type where another is needed.
  case type(wanted: String, found: String)
  /// PT-26: an integer of more than 64 bits where a number is needed.
  case integer(byteCount: Int)
  case text
  /// PT-27: a persistent id that names no storage.
  case persistentID
  /// PT-28: limits.
  case tooManyValues(limit: Int)
  case tooDeep(limit: Int)
  /// PT-28: a container that holds itself.
  case cycle
}

extension PickleProblem: TorchRule {
  var code: String {
    switch self {
    case .truncated: "pickle.truncated"
    case .tooLarge: "pickle.too_large"
    case .opcode: "pickle.opcode"
    case .version: "pickle.protocol"
    case .stack: "pickle.stack"
    case .memo: "pickle.memo"
    case .trailingBytes: "pickle.trailing"
    case .type: "pickle.type"
    case .integer: "pickle.integer"
    case .text: "pickle.text"
    case .persistentID: "pickle.persistent_id"
    case .tooManyValues: "pickle.too_many_values"
    case .tooDeep: "pickle.too_deep"
    case .cycle: "pickle.cycle"
    }
  }

  var kind: FailureKind {
    switch self {
    case .tooLarge, .tooManyValues, .tooDeep: .resourceLimit
    case .opcode(_, let name): name == nil ? .malformed : .unsupported
    default: .malformed
    }
  }

  var message: String {
    switch self {
    case .truncated(let needed, let left):
      "the pickle ends inside an instruction: \(needed) bytes needed, \(left) left"
    case .tooLarge(let count, let limit):
      "the pickle has \(count) bytes; at most \(limit) are read"
    case .opcode(let byte, let name):
      "the pickle has the opcode 0x\(hexadecimal([byte]))"
        + (name.map { " (\($0)), which is never interpreted" } ?? ", which does not exist")
    case .version(let version): "pickle protocol \(version); 2 to 5 are read, and stated once"
    case .stack(let opcode): "\(opcode) wants values that are not on the pickle's stack"
    case .memo(let index): "the pickle's memo has no value at \(index)"
    case .trailingBytes(let count): "\(count) bytes follow the pickle's STOP"
    case .type(let wanted, let found): "\(wanted) is expected in the pickle, found \(found)"
    case .integer(let count): "an integer of \(count) bytes where at most 8 are expected"
    case .text: "a string of the pickle is not valid UTF-8"
    case .persistentID: "a persistent id of the pickle names no storage"
    case .tooManyValues(let limit): "the pickle makes more than \(limit) values"
    case .tooDeep(let limit): "containers of the pickle are nested deeper than \(limit) levels"
    case .cycle: "a container of the pickle holds itself"
    }
  }

  var hint: String? {
    switch self {
    case .truncated: "the file is cut off or damaged; fetch it again"
    case .opcode(_, _?): "such pickles can run code; save the weights again as a state dict"
    default: nil
    }
  }
}
