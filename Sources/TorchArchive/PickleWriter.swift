import ByteIO
import Tensors

/// Writes the pickle of a state dict: protocol 2, with no opcode or name beyond those that
/// `torch.load(weights_only=True)` interprets (PT-60, PT-61).
struct PickleWriter {
  private(set) var bytes: [UInt8] = [0x80, 2]
  /// Numbers of the values that later ones refer to, by their own pickle.
  private var memo: [[UInt8]: UInt8] = [:]

  /// Items that one SETITEMS adds, as Python's pickler batches them.
  private static let batch = 1000

  /// A dictionary from the names to tensors, each the whole of a storage.
  init(_ tensors: [(tensor: TorchLayout.Tensor, key: String)]) throws(TorchError) {
    op("}")
    remember()
    for start in stride(from: 0, to: tensors.count, by: Self.batch) {
      op("(")
      for (tensor, key) in tensors[start..<min(tensors.count, start + Self.batch)] {
        text(tensor.name.string)
        do throws(TensorFault) { try add(tensor, key: key) } catch {
          throw TorchError(.tensor(error.problem), tensor: tensor.name)
        }
      }
      op("u")
    }
    op(".")
  }

  // MARK: Tensors

  private mutating func add(_ tensor: TorchLayout.Tensor, key: String) throws(TensorFault) {
    if let storage = PickleGlobal.Meaning.storageName(of: tensor.type) {
      global("torch._utils", "_rebuild_tensor_v2")
      op("(")
      self.storage("torch", storage, key: key, count: tensor.shape.reduce(1, &*))
      view(tensor.shape)
    } else if let type = PickleGlobal.Meaning.typeName(of: tensor.type) {
      // Types that have no storage class of their own lie in a storage of bytes.
      global("torch._utils", "_rebuild_tensor_v3")
      op("(")
      let count = tensor.shape.reduce(1, &*) * tensor.type.bitWidth / 8
      self.storage("torch.storage", "UntypedStorage", key: key, count: count)
      view(tensor.shape)
      global("torch", type)
    } else {
      throw TensorFault(.noStorage(tensor.type))
    }
    op("t")
    op("R")
  }

  /// The persistent id `("storage", class, key, "cpu", count)`.
  private mutating func storage(_ module: String, _ name: String, key: String, count: Int) {
    op("(")
    constant(Self.pickle(text: "storage"))
    global(module, name)
    text(key)
    constant(Self.pickle(text: "cpu"))
    integer(count)
    op("t")
    op("Q")
  }

  /// Offset, sizes, strides, requires_grad, and the hooks: an empty OrderedDict.
  private mutating func view(_ shape: [Int]) {
    integer(0)
    tuple(shape)
    var strides: [Int] = []
    var stride = 1
    for size in shape.reversed() {
      strides.append(stride)
      stride &*= max(1, size)
    }
    tuple(strides.reversed())
    bytes.append(0x89)
    global("collections", "OrderedDict")
    op(")")
    op("R")
  }

  // MARK: Values

  private mutating func op(_ letter: Unicode.Scalar) { bytes.append(UInt8(ascii: letter)) }

  /// BINPUT: the value on the stack gets the next number; the first is the dictionary's.
  private mutating func remember(_ pickle: [UInt8] = []) {
    let number = UInt8(memo.count)
    memo[pickle] = number
    op("q")
    bytes.append(number)
  }

  /// A value that occurs again and again: written once, then fetched from the memo.
  private mutating func constant(_ pickle: [UInt8]) {
    if let number = memo[pickle] {
      op("h")
      bytes.append(number)
    } else {
      bytes += pickle
      remember(pickle)
    }
  }

  private mutating func global(_ module: String, _ name: String) {
    constant(Array("c\(module)\n\(name)\n".utf8))
  }

  private mutating func text(_ text: String) { bytes += Self.pickle(text: text) }

  private static func pickle(text: String) -> [UInt8] {
    var pickle = Array("X".utf8)
    pickle.append(littleEndian: UInt32(truncatingIfNeeded: text.utf8.count))
    return pickle + text.utf8
  }

  /// The shortest of BININT1, BININT2, BININT and LONG1.
  private mutating func integer(_ value: Int) {
    if let small = UInt8(exactly: value) {
      op("K")
      bytes.append(small)
    } else if let small = UInt16(exactly: value) {
      op("M")
      bytes.append(littleEndian: small)
    } else if let small = Int32(exactly: value) {
      op("J")
      bytes.append(littleEndian: small)
    } else {
      bytes += [0x8A, 8]
      bytes.append(littleEndian: Int64(value))
    }
  }

  private mutating func tuple(_ values: [Int]) {
    if values.count > 3 { op("(") }
    for value in values { integer(value) }
    switch values.count {
    case 0: op(")")
    case 1...3: bytes.append(0x84 + UInt8(values.count))
    default: op("t")
    }
  }
}
