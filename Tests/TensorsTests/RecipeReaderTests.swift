import ByteIO
import Testing

@testable import Tensors

/// Tensors in memory.
struct MemorySource: RecipeSource {
  var tensors: [TensorName: (record: TensorRecord, bytes: [UInt8])] = [:]

  mutating func add(_ name: TensorName, _ type: ElementType, _ shape: [Int], _ bytes: [UInt8]) {
    let record = TensorRecord(
      name: name, type: .element(type), shape: shape, byteCount: bytes.count, file: "memory",
      offset: 0)
    tensors[name] = (record, bytes)
  }

  func record(_ name: TensorName) -> TensorRecord? { tensors[name]?.record }

  func region(_ name: TensorName) -> ByteRegion? { tensors[name].map { ByteRegion($0.bytes) } }

  func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    let stored = try #require(tensors[name]).bytes
    try ByteRegion(stored).read(at: offset, into: &bytes)
  }

  func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    let (record, bytes) = try #require(tensors[name])
    guard case .element(let type) = record.type else { return }
    let size = type.bitWidth / 8
    let part = Array(bytes[elements.lowerBound * size..<elements.upperBound * size])
    try decode(part.rawSpan, as: type, into: &values)
  }
}

@Suite("recipes carried out")
struct RecipeReaderTests {
  /// `[6, 2]` bytes 0…11 as I8, and `[2, 2]` bytes 20…23.
  static let source: MemorySource = {
    var source = MemorySource()
    source.add("a", .i8, [6, 2], Array(0..<12))
    source.add("b", .i8, [2, 2], Array(20..<24))
    source.add("half", .bf16, [3], [0x80, 0x3F, 0x00, 0xC0, 0x20, 0x40])  // 1, -2, 2.5
    return source
  }()

  private func bytes(
    _ recipe: Recipe, shape: [Int], type: ElementType = .i8, rows: Range<Int>
  ) throws -> [UInt8] {
    let row = shape.dropFirst().reduce(1, *) * type.bitWidth / 8
    var bytes = [UInt8](repeating: 0xEE, count: rows.count * row)
    var span = bytes.mutableRawSpan
    try RecipeReader(Self.source).read(recipe, shape: shape, type: type, rows: rows, into: &span)
    return bytes
  }

  @Test("concatenated rows, whole and every part")
  func concatenation() throws {
    let recipe = Recipe(
      .rows([RowSource(tensor: "b", rows: 0..<2), RowSource(tensor: "a", rows: 1..<4)]))
    let whole: [UInt8] = [20, 21, 22, 23, 2, 3, 4, 5, 6, 7]
    for first in 0...5 {
      for last in first...5 {
        let part = try bytes(recipe, shape: [5, 2], rows: first..<last)
        #expect(part == Array(whole[2 * first..<2 * last]))
      }
    }
  }

  @Test("interleaved heads become split halves, and back")
  func order() throws {
    let split = Recipe(
      .rows([RowSource(tensor: "a", rows: 0..<4, order: .splitHalves(headSize: 4))]))
    #expect(try bytes(split, shape: [4, 2], rows: 0..<4) == [0, 1, 4, 5, 2, 3, 6, 7])
    #expect(try bytes(split, shape: [4, 2], rows: 1..<3) == [4, 5, 2, 3])
    let back = Recipe(
      .rows([RowSource(tensor: "a", rows: 0..<4, order: .interleaved(headSize: 4))]))
    #expect(try bytes(back, shape: [4, 2], rows: 0..<4) == [0, 1, 4, 5, 2, 3, 6, 7])
    let order = RowOrder.splitHalves(headSize: 6)
    #expect(
      (0..<12).map { RowOrder.interleaved(headSize: 6).storedRow(order.storedRow($0)) }
        == Array(0..<12))
  }

  @Test("a cast to float32 and the floats of a cast to bf16")
  func casts() throws {
    let wide = Recipe(.rows([RowSource(tensor: "half", rows: 1..<3)]), as: .f32)
    #expect(
      try bytes(wide, shape: [2], type: .f32, rows: 0..<2) == [0, 0, 0, 0xC0, 0, 0, 0x20, 0x40])
    var values = [Float](repeating: 0, count: 3)
    var span = values.mutableSpan
    let narrow = Recipe(.rows([RowSource(tensor: "half", rows: 0..<3)]), as: .f8E5M2)
    try RecipeReader(Self.source).readFloats(narrow, shape: [3], rows: 0..<3, into: &span)
    #expect(values == [1, -2, 2.5])
  }

  @Test("start values in any part are those of the whole")
  func initialisers() throws {
    let starts: [Initialiser] = [
      .zeros, .ones, .identities(state: 0.5, prelude: 2), .uniform(bound: 0.25, seed: 3),
      .normal(standardDeviation: 0.1, seed: 3),
    ]
    for start in starts {
      let recipe = Recipe(.initialised(start))
      let whole = try bytes(recipe, shape: [4, 8], type: .f32, rows: 0..<4)
      let parts = try (0..<4).flatMap {
        try bytes(recipe, shape: [4, 8], type: .f32, rows: $0..<($0 + 1))
      }
      #expect(whole == parts)
    }
    var values = [Float](repeating: 9, count: 8)
    var span = values.mutableSpan
    Initialiser.identities(state: 0, prelude: 1).fill(shape: [4, 8], from: 8, into: &span)
    #expect(values == [0, 0, 0, 0, 0, 1, 0, 0])
    var uniform = [Float](repeating: 9, count: 8)
    span = uniform.mutableSpan
    Initialiser.uniform(bound: 0.25, seed: 3).fill(shape: [8], from: 0, into: &span)
    #expect(uniform.allSatisfy { $0 >= -0.25 && $0 < 0.25 } && Set(uniform).count == 8)
  }

  @Test("a mere copy is told by its regions")
  func regions() throws {
    let reader = RecipeReader(Self.source)
    let copy = Recipe(
      .rows([RowSource(tensor: "a", rows: 1..<3), RowSource(tensor: "b", rows: 0..<1)]))
    let regions = try #require(try reader.regions(copy, shape: [3, 2], type: .i8))
    #expect(try regions.map { try $0.contents(limit: 99) } == [[2, 3, 4, 5], [20, 21]])
    let cast = Recipe(.rows([RowSource(tensor: "half", rows: 0..<3)]), as: .f32)
    #expect(try reader.regions(cast, shape: [3], type: .f32) == nil)
    #expect(try reader.regions(Recipe(.initialised(.ones)), shape: [3], type: .f32) == nil)
  }

  @Test("a matrix of several is rows of the last axis")
  func stacked() throws {
    var source = Self.source
    source.add("stack", .i8, [3, 2, 2], Array(0..<12))
    let reader = RecipeReader(source)
    let recipe = Recipe(.rows([RowSource(tensor: "stack", rows: 2..<4)]))
    var bytes = [UInt8](repeating: 0, count: 4)
    var span = bytes.mutableRawSpan
    try reader.read(recipe, shape: [2, 2], type: .i8, rows: 0..<2, into: &span)
    #expect(bytes == [4, 5, 6, 7])
    let regions = try #require(try reader.regions(recipe, shape: [2, 2], type: .i8))
    #expect(try regions.map { try $0.contents(limit: 99) } == [[4, 5, 6, 7]])
    // The columns of a matrix are no rows.
    #expect(throws: RecipeError(.rowLength(found: 2, wanted: 1), tensor: "a")) {
      _ = try self.bytes(.copy("a", rows: 12), shape: [12], rows: 0..<12)
    }
  }

  @Test("an offset is added in float32, before the cast")
  func offset() throws {
    let reader = RecipeReader(Self.source)
    var values = [Float](repeating: 0, count: 2)
    var span = values.mutableSpan
    var recipe = Recipe(.rows([RowSource(tensor: "half", rows: 0..<3)]), offset: -1)
    try reader.readFloats(recipe, shape: [3], rows: 1..<3, into: &span)
    #expect(values == [-3, 1.5])
    #expect(try bytes(recipe, shape: [3], type: .bf16, rows: 1..<2) == [0x40, 0xC0])
    #expect(try reader.regions(recipe, shape: [3], type: .bf16) == nil)
    // 1 + 2⁻¹⁰ is no bf16.
    recipe = Recipe(
      .rows([RowSource(tensor: "half", rows: 0..<1)]), as: .bf16, offset: 0.0009765625)
    var one: [Float] = [0]
    var rest = one.mutableSpan
    try reader.readFloats(recipe, shape: [1], rows: 0..<1, into: &rest)
    #expect(one == [1])
  }

  @Test("what the source does not have is an error")
  func errors() {
    #expect(throws: RecipeError(.missing, tensor: "c")) {
      _ = try bytes(.copy("c", rows: 1), shape: [1, 2], rows: 0..<1)
    }
    #expect(throws: RecipeError(.rowsOutside(2..<7, count: 6), tensor: "a")) {
      let recipe = Recipe(.rows([RowSource(tensor: "a", rows: 2..<7)]))
      _ = try bytes(recipe, shape: [5, 2], rows: 0..<5)
    }
    #expect(throws: RecipeError(.rowLength(found: 2, wanted: 3), tensor: "a")) {
      _ = try bytes(.copy("a", rows: 4), shape: [4, 3], rows: 0..<4)
    }
  }
}
