import Columns

/// A column of the schema as the buffers need it; rule AR-3.
struct ArrowField: Sendable {
  /// How values lie in buffers.
  indirect enum Layout: Sendable {
    case null
    case bits
    /// Integers of `width` bytes.
    case integers(width: Int, isSigned: Bool)
    case floats(width: Int)
    /// Strings by offsets of `offset` bytes.
    case strings(offset: Int)
    case views
    case fixed(width: Int)
    /// A decimal, lowest byte first.
    case decimal(width: Int)
    case list(offset: Int, ArrowField)
    case fixedList(size: Int, ArrowField)
    case structure([ArrowField])
    case map(ArrowField)
    case dictionary(id: Int, indexWidth: Int, isSigned: Bool, ArrowField)
  }

  var field: Field
  var layout: Layout

  private init(_ field: Field, _ layout: Layout) {
    self.field = field
    self.layout = layout
  }

  /// - Parameter depth: Fields above this one.
  init(_ table: FlatTable, depth: Int = 0) throws(ArrowProblem) {
    guard depth < FlatTable.depthLimit else { throw .tooDeep(limit: FlatTable.depthLimit) }
    let name = try table.string(0)
    let isOptional = try table.integer(1, UInt8.self) != 0
    var children: [ArrowField] = []
    for child in try table.tables(5) {
      children.append(try ArrowField(child, depth: depth + 1))
    }
    let (type, plain) = try Self.layout(
      try table.integer(2, UInt8.self), try table.table(3), children, name)
    layout = plain
    if let dictionary = try table.table(4) {
      let index = try dictionary.table(1)
      let bits = try index?.integer(0, Int32.self) ?? 32
      guard [8, 16, 32, 64].contains(bits) else { throw .width(column: name, bits) }
      layout = .dictionary(
        id: try dictionary.integer(0, Int64.self), indexWidth: bits / 8,
        isSigned: try index?.integer(1, UInt8.self) != 0,
        ArrowField(Field(name, isOptional: true, type), plain))
    }
    field = Field(name, isOptional: isOptional, type)
  }

  private static func layout(
    _ number: Int, _ type: FlatTable?, _ children: [ArrowField], _ name: String
  ) throws(ArrowProblem) -> (FieldType, Layout) {
    if let nested = try nested(number, type, children, name) { return nested }
    guard children.isEmpty else { throw .children(column: name, children.count) }
    switch number {
    case 1: return (.primitive(.null), .null)
    case 2:
      let bits = try type?.integer(0, Int32.self) ?? 0
      let isSigned = try type?.integer(1, UInt8.self) != 0
      guard [8, 16, 32, 64].contains(bits) else { throw .width(column: name, bits) }
      return (
        .primitive(.integer(bits: bits, isSigned: isSigned)),
        .integers(width: bits / 8, isSigned: isSigned)
      )
    case 3:
      let precision = try type?.integer(0, Int16.self) ?? 0
      guard (0...2).contains(precision) else { throw .width(column: name, precision) }
      return (.primitive(.float(bits: 16 << precision)), .floats(width: 2 << precision))
    case 4, 5: return (.primitive(number == 4 ? .binary : .text), .strings(offset: 4))
    case 6: return (.primitive(.boolean), .bits)
    case 7:
      let (scale, bits) = (
        try type?.integer(1, Int32.self) ?? 0, try type?.integer(2, Int32.self, default: 128) ?? 128
      )
      guard (0...38).contains(scale), [32, 64, 128].contains(bits) else {
        throw .width(column: name, bits)
      }
      return (.primitive(.decimal(scale: scale)), .decimal(width: bits / 8))
    case 15:
      let width = try type?.integer(0, Int32.self) ?? 0
      guard (1...1 << 20).contains(width) else { throw .width(column: name, width) }
      return (.primitive(.binary), .fixed(width: width))
    case 19, 20: return (.primitive(number == 19 ? .binary : .text), .strings(offset: 8))
    case 23, 24: return (.primitive(number == 23 ? .binary : .text), .views)
    default: return try time(number, type, name)
    }
  }

  private static func time(
    _ number: Int, _ type: FlatTable?, _ name: String
  ) throws(ArrowProblem) -> (FieldType, Layout) {
    switch number {
    case 8:
      let isDay = try type?.integer(0, Int16.self, default: 1) == 0
      return (.primitive(.time("date")), .integers(width: isDay ? 4 : 8, isSigned: true))
    case 9:
      let bits = try type?.integer(1, Int32.self, default: 32) ?? 32
      guard bits == 32 || bits == 64 else { throw .width(column: name, bits) }
      return (.primitive(.time("time")), .integers(width: bits / 8, isSigned: true))
    case 10: return (.primitive(.time("timestamp")), .integers(width: 8, isSigned: true))
    case 18: return (.primitive(.time("duration")), .integers(width: 8, isSigned: true))
    default:
      let names = [
        11: "interval", 14: "union", 22: "run-end encoded", 25: "list view", 26: "large list view",
      ]
      throw .type(column: name, names[number] ?? "\(number)")
    }
  }

  private static func nested(
    _ number: Int, _ type: FlatTable?, _ children: [ArrowField], _ name: String
  ) throws(ArrowProblem) -> (FieldType, Layout)? {
    if number == 13 { return (.structure(children.map(\.field)), .structure(children)) }
    guard [12, 16, 17, 21].contains(number) else { return nil }
    guard children.count == 1 else { throw .children(column: name, children.count) }
    let child = children[0]
    switch number {
    case 12: return (.list(child.field), .list(offset: 4, child))
    case 21: return (.list(child.field), .list(offset: 8, child))
    case 16:
      let size = try type?.integer(0, Int32.self) ?? 0
      guard size >= 0 else { throw .width(column: name, size) }
      return (.list(child.field), .fixedList(size: size, child))
    default:
      guard case .structure(let parts) = child.layout, parts.count == 2 else {
        throw .children(column: name, 1)
      }
      return (.map(key: parts[0].field, value: parts[1].field), .map(child))
    }
  }
}
