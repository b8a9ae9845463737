import ByteIO
import Tensors
import Testing

@testable import TorchArchive

@Suite("tensors and storages of a PyTorch file")
struct TensorRuleTests {
  private static func tensor(
    _ row: Int, _ code: String, _ what: String, _ tensor: [UInt8]
  ) -> Refused {
    Refused(row, code, what, TorchBytes.tensor(tensor))
  }

  private static func storage(
    _ row: Int, _ code: String, _ what: String, _ bytes: [UInt8]
  ) -> Refused {
    var torch = TorchBytes()
    torch.storages = [("0", bytes)]
    return Refused(row, code, what, torch.bytes())
  }

  private static func rebuild(_ module: String, _ name: String) -> [UInt8] {
    Pickle.call(Pickle.global(module, name), Pickle.none)
  }

  private static func ofClass(_ name: String) -> [UInt8] {
    Pickle.tensor(Pickle.storage(type: Pickle.global("torch", name)))
  }

  static let refused: [Refused] = [
    tensor(
      46, "pt.storage_missing", "no record", Pickle.tensor(Pickle.storage(key: Pickle.text("1")))),
    storage(47, "pt.storage_size", "a shorter record", TorchBytes.floats(5)),
    storage(47, "pt.storage_size", "a longer record", TorchBytes.floats(7)),
    storage(
      47, "pt.storage_size", "a record cut inside an element",
      Array(TorchBytes.floats(6).dropLast())),
    tensor(
      48, "pt.storage_size", "more elements than the record",
      Pickle.tensor(Pickle.storage(count: 1000))),
    tensor(
      48, "pt.negative", "a negative number of elements", Pickle.tensor(Pickle.storage(count: -1))),
    tensor(48, "pt.overflow", "2^62 elements", Pickle.tensor(Pickle.storage(count: 1 << 62))),
    tensor(49, "pt.view_offset", "a negative offset", Pickle.tensor(offset: -1)),
    tensor(
      49, "pt.view_offset", "an offset beyond", Pickle.tensor(offset: 7, sizes: [0], strides: [1])),
    tensor(50, "pt.view_past_end", "an offset that pushes the end out", Pickle.tensor(offset: 1)),
    tensor(50, "pt.view_past_end", "a stride too large", Pickle.tensor(strides: [4, 1])),
    tensor(50, "pt.overflow", "a stride that overflows", Pickle.tensor(strides: [.max, .max])),
    tensor(
      50, "pt.overflow", "strides that overflow together", Pickle.tensor(strides: [.max, 1 << 62])),
    tensor(50, "pt.overflow", "sizes that overflow", Pickle.tensor(sizes: [1 << 32, 1 << 32])),
    tensor(
      50, "pt.overflow", "an overflow behind a zero",
      Pickle.tensor(sizes: [0, 1 << 62, 4], strides: [1, 1, 1])),
    tensor(51, "pt.negative", "a negative size", Pickle.tensor(sizes: [2, -3])),
    tensor(51, "pt.negative", "a negative stride", Pickle.tensor(strides: [3, -1])),
    tensor(52, "pt.rank", "a stride too few", Pickle.tensor(strides: [1])),
    tensor(
      52, "pt.rank_too_large", "65 dimensions", Pickle.tensor(sizes: ones(65), strides: ones(65))),
    tensor(
      53, "pt.expanded_too_large", "one element expanded to 4 TB",
      Pickle.tensor(sizes: [1 << 20, 1 << 20], strides: [0, 0])),
    tensor(
      53, "pt.expanded_too_large", "windows that overlap a thousandfold",
      Pickle.tensor(sizes: [1 << 30, 6], strides: [0, 1])),
    tensor(57, "pt.storage_type", "an unknown storage class", ofClass("FancyStorage")),
    tensor(57, "pt.storage_type", "a quantised storage class", ofClass("QUInt8Storage")),
    tensor(
      57, "pt.storage_type", "a type that does not exist",
      Pickle.typedTensor("float7", byteCount: 24, sizes: [24], strides: [1])),
    tensor(
      57, "pt.storage_type", "packed four-bit floats",
      Pickle.typedTensor("float4_e2m1fn_x2", byteCount: 24, sizes: [24], strides: [1])),
    tensor(57, "pt.tensor_kind", "a quantised tensor", rebuild("torch._utils", "_rebuild_qtensor")),
    tensor(
      57, "pt.tensor_kind", "a sparse tensor", rebuild("torch._utils", "_rebuild_sparse_tensor")),
    tensor(
      57, "pt.tensor_kind", "a sparse tensor in rows",
      rebuild("torch._utils", "_rebuild_sparse_csr_tensor")),
    tensor(
      57, "pt.tensor_kind", "a nested tensor", rebuild("torch._utils", "_rebuild_nested_tensor")),
    tensor(
      57, "pt.tensor_kind", "a meta tensor",
      rebuild("torch._utils", "_rebuild_meta_tensor_no_storage")),
    tensor(
      57, "pt.tensor_kind", "a tensor subclass",
      rebuild("torch._utils", "_rebuild_wrapper_subclass")),
    tensor(
      58, "pt.tensor_kind", "the meta device", Pickle.tensor(Pickle.storage(location: "meta"))),
    tensor(
      0, "pt.tensor_kind", "a foreign Python type",
      Pickle.call(
        Pickle.global("torch._tensor", "_rebuild_from_type_v2"),
        Pickle.global("torch._utils", "_rebuild_tensor_v2"), Pickle.global("other", "Tensor"),
        Pickle.emptyTuple, Pickle.none)),
    tensor(
      0, "pt.lazy_bit", "the conjugate bit",
      Pickle.tensor(more: Pickle.dictionary([("conj", Pickle.yes)]))),
    tensor(
      0, "pt.lazy_bit", "the negative bit",
      Pickle.tensor(more: Pickle.dictionary([("neg", Pickle.yes)]))),
    tensor(
      0, "pickle.type", "no arguments",
      Pickle.call(Pickle.global("torch._utils", "_rebuild_tensor_v2"))),
    tensor(
      0, "pickle.type", "a size that is text",
      Pickle.call(
        Pickle.global("torch._utils", "_rebuild_tensor"), Pickle.storage(), Pickle.int(0),
        Pickle.tuple(Pickle.text("2")), Pickle.ints([1]))),
    tensor(0, "pickle.type", "a storage that is none", Pickle.tensor(Pickle.none)),
    tensor(
      0, "pickle.too_deep", "a parameter of a parameter, and so on",
      (0..<6).reduce(Pickle.tensor()) { inner, _ in
        Pickle.call(Pickle.global("torch._utils", "_rebuild_parameter"), inner)
      }),
  ]

  private static func ones(_ count: Int) -> [Int] { [Int](repeating: 1, count: count) }

  @Test("PT-40, PT-41, PT-42, PT-43, PT-44, PT-45, PT-46: refuses", arguments: refused)
  func refuses(_ sample: Refused) { #expect(sample.verdict() == sample.code) }

  @Test("an error names the tensor")
  func named() {
    let error = #expect(throws: TorchError.self) {
      try TorchFile(ByteRegion(TorchBytes.tensor(Pickle.tensor(offset: 1))))
    }
    #expect(error?.tensor == "w")
    #expect(error?.problem == .tensor(.viewPastEnd(last: 6, elements: 6)))
  }

  @Test("53, 54: expanded and transposed views are gathered")
  func views() throws {
    func read(_ tensor: [UInt8]) throws -> [Float] {
      let file = try TorchFile(ByteRegion(TorchBytes.tensor(tensor)))
      #expect(file.tensors[0].offset == nil)
      let bytes = try file.data(0)
      return stride(from: 0, to: bytes.count, by: 4).map { i in
        Float(bitPattern: bytes[i..<(i + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) })
      }
    }
    #expect(try read(Pickle.tensor(sizes: [3, 2], strides: [1, 3])) == [0, 3, 1, 4, 2, 5])
    #expect(try read(Pickle.tensor(sizes: [3, 2], strides: [2, 0])) == [0, 0, 2, 2, 4, 4])
    #expect(try read(Pickle.tensor(offset: 1, sizes: [2], strides: [4])) == [1, 5])
  }
}
