import ByteIO
import Tensors
import TestSupport
import Testing

@testable import TorchArchive

@Suite("strided reader")
struct StridedReaderTests {
  /// A view by its definition: the element at each index, one by one.
  private func gatherByDefinition(_ view: TensorView, _ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    for linear in 0..<view.elementCount {
      var (rest, element) = (linear, view.offset)
      for (size, stride) in zip(view.sizes, view.strides).reversed() {
        element += rest % size * stride
        rest /= size
      }
      result += bytes[(element * view.elementSize)..<((element + 1) * view.elementSize)]
    }
    return result
  }

  @Test("any view, in any pieces, is what the definition says", arguments: 0..<300)
  func random(seed: Int) throws {
    var random = SplitMix64(state: UInt64(seed))
    let sizes = (0..<Int.random(in: 0...4, using: &random)).map { _ in
      Int.random(in: 1...9, using: &random)
    }
    let strides = sizes.map { _ in Int.random(in: 0...40, using: &random) }
    let type = [ElementType.u8, .bf16, .f32, .f64, .c128][seed % 5]
    let view = TensorView(
      storage: "0", type: type, offset: Int.random(in: 0...9, using: &random), sizes: sizes,
      strides: strides)
    let elements = 10 + zip(sizes, strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
    let bytes = (0..<(elements * view.elementSize)).map { _ in
      UInt8.random(in: 0...255, using: &random)
    }
    try view.check(elements: elements)
    let wanted = gatherByDefinition(view, bytes)
    let lower = Int.random(in: 0..<view.elementCount, using: &random)
    let upper = Int.random(in: (lower + 1)...view.elementCount, using: &random)
    let reader = try StridedReader(view, lower..<upper) { at, part in
      part = Array(bytes[at..<(at + part.count)])
    }
    #expect(
      reader.result
        == Array(wanted[(lower * view.elementSize)..<(upper * view.elementSize)]))
  }

  @Test("a large transposed matrix is read in few pieces of at most a tile")
  func tiles() throws {
    let (rows, columns) = (600, 2000)
    let view = TensorView(
      storage: "0", type: .f32, offset: 0, sizes: [columns, rows], strides: [1, columns])
    let storage = (0..<UInt32(rows * columns)).flatMap { little($0) }
    var reads: [Int] = []
    let reader = try StridedReader(view, 0..<(rows * columns)) { at, part in
      reads.append(part.count)
      part = Array(storage[at..<(at + part.count)])
    }
    #expect(reads.count <= 6)
    #expect(reads.allSatisfy { $0 <= StridedReader.tile })
    for (row, column) in [(0, 0), (599, 1999), (1, 0), (0, 1), (300, 777)] {
      let at = (column * rows + row) * 4
      #expect(Array(reader.result[at..<(at + 4)]) == little(UInt32(row * columns + column)))
    }
  }
}
