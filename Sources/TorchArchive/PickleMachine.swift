import ByteIO

/// Interprets a pickle symbolically: values are described, nothing is ever called.
///
/// Work and memory are linear in the pickle's length, whatever it says; `nodeLimit` bounds both.
struct PickleMachine {
  var graph: PickleGraph
  var position = 0
  var stack: [NodeID] = []
  /// Heights of the stack at the marks.
  private var marks: [Int] = []
  private var memo: [UInt32: NodeID] = [:]
  private var globalIndices: [String: Int32] = [:]
  private var isVersionKnown = false
  /// Position of the opcode at work.
  private var opcodeStart = 0
  private let nodeLimit: Int
  /// Shared nodes of the values that need no more than one.
  private let shared = (none: NodeID(index: 0), yes: NodeID(index: 1), no: NodeID(index: 2))

  private init(_ bytes: [UInt8], base: Int?, path: String, nodeLimit: Int) {
    graph = PickleGraph(bytes: bytes, base: base, path: path)
    graph.nodes = [.none, .bool(true), .bool(false)]
    self.nodeLimit = nodeLimit
  }

  /// Runs the pickle at the start of `bytes`.
  ///
  /// - Parameter base: Position of `bytes` in the file, for errors.
  /// - Returns: What it describes, and its length in bytes.
  static func run(
    _ bytes: [UInt8], base: Int?, path: String, nodeLimit: Int
  ) throws(TorchError) -> (graph: PickleGraph, byteCount: Int) {
    var machine = PickleMachine(bytes, base: base, path: path, nodeLimit: nodeLimit)
    while try machine.step() {}
    return (machine.graph, machine.position)
  }

  /// Carries out one opcode; false after STOP.
  private mutating func step() throws(TorchError) -> Bool {
    opcodeStart = position
    let byte = try number(UInt8.self)
    guard let opcode = PickleOpcode(rawValue: byte) else {
      throw fail(.opcode(byte, PickleOpcode.refused[byte]))
    }
    switch opcode {
    case .stop:
      guard stack.count == 1, marks.isEmpty else { throw fail(.stack("STOP")) }
      graph.root = stack[0]
      return false
    case .version, .frame: try frame(opcode)
    case .mark: marks.append(stack.count)
    case .pop, .popMark, .dup: try shuffle(opcode)
    case .none: stack.append(shared.none)
    case .newTrue: stack.append(shared.yes)
    case .newFalse: stack.append(shared.no)
    case .binPut, .longBinPut, .memoize, .binGet, .longBinGet: try remember(opcode)
    case .emptyTuple, .tuple1, .tuple2, .tuple3, .tuple, .frozenSet: try gather(opcode)
    case .emptyList: try push(.list([]))
    case .emptyDictionary: try push(.dictionary([]))
    case .emptySet: try push(.set([]))
    case .append, .appends, .setItem, .setItems, .addItems: try extend(opcode)
    case .global, .stackGlobal: try name(opcode)
    case .reduce, .newObject: try construct()
    case .build:
      _ = try pop("BUILD")
      guard stack.count > floor else { throw fail(.stack("BUILD")) }
    case .binPersistentID: try persist()
    default: try scalar(opcode)
    }
    return true
  }

  // MARK: Groups of opcodes

  private mutating func frame(_ opcode: PickleOpcode) throws(TorchError) {
    if opcode == .version {
      let version = Int(try number(UInt8.self))
      guard (2...5).contains(version), !isVersionKnown else { throw fail(.version(version)) }
      isVersionKnown = true
    } else {
      let count = try number(UInt64.self)
      guard count <= UInt64(graph.bytes.count - position) else { throw tooShort(count) }
    }
  }

  private mutating func shuffle(_ opcode: PickleOpcode) throws(TorchError) {
    switch opcode {
    case .dup:
      guard let top = stack.last, stack.count > floor else { throw fail(.stack("DUP")) }
      stack.append(top)
    case .pop where marks.last == stack.count: marks.removeLast()
    case .pop: _ = try pop("POP")
    default: stack.removeLast(try sinceMark("POP_MARK").count)
    }
  }

  private mutating func remember(_ opcode: PickleOpcode) throws(TorchError) {
    let index =
      switch opcode {
      case .binPut, .binGet: UInt32(try number(UInt8.self))
      case .longBinPut, .longBinGet: try number(UInt32.self)
      default: UInt32(memo.count)
      }
    if opcode == .binGet || opcode == .longBinGet {
      guard let value = memo[index] else { throw fail(.memo(index)) }
      stack.append(value)
    } else {
      guard let top = stack.last, stack.count > floor else { throw fail(.stack("PUT")) }
      memo[index] = top
      guard memo.count <= nodeLimit else { throw fail(.tooManyValues(limit: nodeLimit)) }
    }
  }

  private mutating func gather(_ opcode: PickleOpcode) throws(TorchError) {
    let count: Int
    switch opcode {
    case .emptyTuple: count = 0
    case .tuple1: count = 1
    case .tuple2: count = 2
    case .tuple3: count = 3
    default: count = try sinceMark("TUPLE").count
    }
    guard stack.count - floor >= count else { throw fail(.stack("TUPLE")) }
    let items = stack.suffix(count)
    if opcode == .frozenSet {
      let set = PickleNode.set(Array(items))
      stack.removeLast(count)
      return try push(set)
    }
    let start = graph.links.count
    graph.links += items
    stack.removeLast(count)
    try push(.tuple(ByteSpan(start..<(start + count))))
  }

  private mutating func extend(_ opcode: PickleOpcode) throws(TorchError) {
    let count: Int
    switch opcode {
    case .append: count = 1
    case .setItem: count = 2
    default: count = try sinceMark("APPENDS").count
    }
    guard stack.count - floor > count else { throw fail(.stack("APPEND")) }
    let target = stack[stack.count - count - 1]
    let isPairs = opcode == .setItem || opcode == .setItems
    guard !isPairs || count % 2 == 0 else { throw fail(.stack("SETITEMS")) }
    try add(stack.suffix(count), to: target, opcode)
    stack.removeLast(count)
  }

  private mutating func add(
    _ items: ArraySlice<NodeID>, to target: NodeID, _ opcode: PickleOpcode
  ) throws(TorchError) {
    let place = Int(target.index)
    // The node lets go of its array for a moment, so that it grows in place.
    switch (graph.nodes[place], opcode) {
    case (.dictionary(var all), .setItem), (.dictionary(var all), .setItems):
      graph.nodes[place] = .none
      all += items
      graph.nodes[place] = .dictionary(all)
    case (.list(var all), .append), (.list(var all), .appends):
      graph.nodes[place] = .none
      all += items
      graph.nodes[place] = .list(all)
    case (.set(var all), .addItems):
      graph.nodes[place] = .none
      all += items
      graph.nodes[place] = .set(all)
    case (.call, _): break  // an opaque object's own elements
    default: throw fail(.type(wanted: "a container", found: graph.describe(target)))
    }
  }

  private mutating func name(_ opcode: PickleOpcode) throws(TorchError) {
    let module: String
    let name: String
    if opcode == .global {
      module = try line()
      name = try line()
    } else {
      let last = try pop("STACK_GLOBAL")
      module = try graph.text(try pop("STACK_GLOBAL"))
      name = try graph.text(last)
    }
    let key = module + "\n" + name
    if let index = globalIndices[key] { return try push(.global(index)) }
    let index = Int32(graph.globals.count)
    globalIndices[key] = index
    graph.globals.append(PickleGlobal(module: module, name: name))
    try push(.global(index))
  }

  /// REDUCE and NEWOBJ: a container when the class is a known one, otherwise a call not made.
  private mutating func construct() throws(TorchError) {
    let arguments = try pop("REDUCE")
    let function = try pop("REDUCE")
    guard case .tuple(let span) = graph[arguments] else {
      throw fail(.type(wanted: "a tuple of arguments", found: graph.describe(arguments)))
    }
    let first = span.count > 0 ? graph.links[span.range.lowerBound] : nil
    switch graph.global(function)?.known {
    case .dictionary: try push(.dictionary(try pairs(first)))
    case .set:
      try push(.set(try first.map { (id) throws(TorchError) in Array(try copied(id)) } ?? []))
    case .size where first != nil: stack.append(first ?? shared.none)
    default: try push(.call(function: function, arguments: arguments))
    }
  }

  /// Keys and values of a dictionary that is made of a list of pairs; anything else gives none.
  private mutating func pairs(_ id: NodeID?) throws(TorchError) -> [NodeID] {
    guard let id, case .list = graph[id] else { return [] }
    var items: [NodeID] = []
    for pair in try copied(id) {
      let parts = try graph.elements(pair)
      guard parts.count == 2 else { throw fail(.type(wanted: "a pair", found: "another tuple")) }
      items += parts
    }
    return items
  }

  /// Elements that are copied count as nodes, or a short pickle could copy a long list at will.
  private mutating func copied(_ id: NodeID) throws(TorchError) -> ArraySlice<NodeID> {
    let items = try graph.elements(id)
    copies += items.count
    guard copies <= nodeLimit else { throw fail(.tooManyValues(limit: nodeLimit)) }
    return items
  }
  private var copies = 0

  private mutating func persist() throws(TorchError) {
    let id = try pop("BINPERSID")
    try push(.persistent(id))
    graph.persistents.append(id)
  }

  private mutating func scalar(_ opcode: PickleOpcode) throws(TorchError) {
    switch opcode {
    case .binInt: try push(.int(Int(try number(Int32.self))))
    case .binInt1: try push(.int(Int(try number(UInt8.self))))
    case .binInt2: try push(.int(Int(try number(UInt16.self))))
    case .binFloat:
      try push(.float(Double(bitPattern: UInt64(bigEndian: try number(UInt64.self)))))
    case .long1: try push(long(try take(UInt64(try number(UInt8.self)))))
    case .long4: try push(long(try take(UInt64(try number(UInt32.self)))))
    case .shortBinString, .shortBinUnicode:
      try push(.text(try take(UInt64(try number(UInt8.self)))))
    case .binString, .binUnicode: try push(.text(try take(UInt64(try number(UInt32.self)))))
    case .binUnicode8: try push(.text(try take(try number(UInt64.self))))
    case .shortBinBytes: try push(.bytes(try take(UInt64(try number(UInt8.self)))))
    case .binBytes: try push(.bytes(try take(UInt64(try number(UInt32.self)))))
    case .binBytes8, .byteArray8: try push(.bytes(try take(try number(UInt64.self))))
    default: preconditionFailure("every opcode belongs to a group")
    }
  }

  // MARK: Stack

  /// What lies below belongs to somebody before the last mark.
  private var floor: Int { marks.last ?? 0 }

  private mutating func pop(_ opcode: String) throws(TorchError) -> NodeID {
    guard stack.count > floor else { throw fail(.stack(opcode)) }
    return stack.removeLast()
  }

  /// The values above the last mark, which is taken away.
  private mutating func sinceMark(_ opcode: String) throws(TorchError) -> Range<Int> {
    guard let mark = marks.popLast() else { throw fail(.stack(opcode)) }
    return mark..<stack.count
  }

  private mutating func push(_ node: PickleNode) throws(TorchError) {
    guard graph.nodes.count < nodeLimit else { throw fail(.tooManyValues(limit: nodeLimit)) }
    stack.append(NodeID(index: Int32(graph.nodes.count)))
    graph.nodes.append(node)
  }

  // MARK: Arguments

  private mutating func number<Value: FixedWidthInteger>(
    _: Value.Type
  ) throws(TorchError) -> Value {
    let span = try take(UInt64(MemoryLayout<Value>.size))
    return graph.bytes[span.range].reversed().reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
  }

  private mutating func take(_ count: UInt64) throws(TorchError) -> ByteSpan {
    guard count <= UInt64(graph.bytes.count - position) else { throw tooShort(count) }
    let start = position
    position += Int(count)
    return ByteSpan(start..<position)
  }

  /// Text up to the next newline.
  private mutating func line() throws(TorchError) -> String {
    guard let end = graph.bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else {
      throw tooShort(UInt64(graph.bytes.count - position) + 1)
    }
    guard let text = String(validating: graph.bytes[position..<end], as: UTF8.self) else {
      throw fail(.text)
    }
    position = end + 1
    return text
  }

  /// A little-endian two's-complement integer of any length.
  private func long(_ span: ByteSpan) -> PickleNode {
    guard span.count <= 8 else { return .longInteger(span) }
    let bytes = graph.bytes[span.range]
    guard let last = bytes.last else { return .int(0) }
    let sign = last >= 0x80 ? -1 : 0
    return .int(bytes.reversed().reduce(sign) { $0 << 8 | Int($1) })
  }

  private func tooShort(_ needed: UInt64) -> TorchError {
    let left = graph.bytes.count - position
    return fail(.truncated(needed: Int(clamping: needed), left: left))
  }

  private func fail(_ problem: PickleProblem) -> TorchError {
    graph.error(problem, at: opcodeStart)
  }
}
