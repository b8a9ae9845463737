import ByteIO
import ModelGraph
import Tensors

/// A mistake that conversions make, put into a copy to see whether it is caught.
package enum Fault: String, CaseIterable, Sendable {
  case layersSwapped = "two layers swapped"
  case rotaryOrder = "RoPE permutation dropped"
  case normMoved = "a norm moved"
  case transposed = "a square matrix transposed"
  case adapterHalves = "the adapter's halves swapped"
  case bitFlipped = "one bit flipped"

  /// The tensors of `model` that this fault changes, with their changed bytes; nil when the model
  /// has no place for it: it lacks the part, or the part would stay as it is, such as two equal norms.
  func patches(_ model: ReadableModel) throws -> [TensorName: [UInt8]]? {
    guard let patches = try changes(model) else { return nil }
    return try patches.contains { try model.source.bytes(of: $0.key) != $0.value } ? patches : nil
  }

  private func changes(_ model: ReadableModel) throws -> [TensorName: [UInt8]]? {
    guard let body = model.graph.recurrence, let block = body.core.first else { return nil }
    let source = model.source
    switch self {
    case .layersSwapped:
      // Neighbours in order of execution; a core of one block swaps with the coda.
      guard let other = (body.core.dropFirst() + body.coda).first else { return nil }
      var patches: [TensorName: [UInt8]] = [:]
      for (a, b) in zip(block.parameters, other.parameters) where a.role == b.role {
        patches[a.parameter.name] = try source.bytes(of: b.parameter.name)
        patches[b.parameter.name] = try source.bytes(of: a.parameter.name)
      }
      return patches
    case .rotaryOrder:
      guard let name = (block[.queryKeyValue] ?? block[.query])?.name else { return nil }
      return try [name: interleaved(name, model)]
    case .normMoved:
      guard let first = block[.attentionNorm]?.name, let second = block[.mlpNorm]?.name else {
        return nil
      }
      return try [first: source.bytes(of: second), second: source.bytes(of: first)]
    case .transposed:
      let roles: [BlockRole] = [.output, .query, .key, .value, .gate, .up, .down]
      guard
        let square = roles.lazy.compactMap({ block[$0] })
          .first(where: { $0.shape == $0.shape.reversed() })
      else { return nil }
      return try [square.name: transposed(square, source)]
    case .adapterHalves:
      guard let adapter = body.adapter else { return nil }
      return try [adapter.name: halvesSwapped(adapter, source)]
    case .bitFlipped:
      guard let down = (block[.down] ?? block[.expertDown] ?? block[.expertsDown])?.name else {
        return nil
      }
      var bytes = try source.bytes(of: down)
      // The lowest bit of one weight: nothing smaller can go wrong.
      bytes[bytes.count / 2 & ~7] ^= 1
      return [down: bytes]
    }
  }

  /// The query's rows in the order of interleaved RoPE, as GGUF and Meta store them.
  private func interleaved(_ name: TensorName, _ model: ReadableModel) throws -> [UInt8] {
    let bytes = try model.source.bytes(of: name)
    let sizes = model.graph.sizes
    guard let record = model.source.record(name), let rows = record.shape.first, rows > 0 else {
      return bytes
    }
    let length = bytes.count / rows
    let order = RowOrder.interleaved(headSize: sizes.headSize)
    var permuted = bytes
    for row in 0..<sizes.queryWidth {
      let stored = order.storedRow(row) * length
      permuted.replaceSubrange(
        (row * length)..<((row + 1) * length), with: bytes[stored..<(stored + length)])
    }
    return permuted
  }

  private func transposed(_ matrix: Parameter, _ source: any RecipeSource) throws -> [UInt8] {
    let bytes = try source.bytes(of: matrix.name)
    let count = matrix.shape[0]
    let size = matrix.type.bitWidth / 8
    var result = bytes
    for row in 0..<count {
      for column in 0..<count {
        let from = (column * count + row) * size
        let to = (row * count + column) * size
        for byte in 0..<size { result[to + byte] = bytes[from + byte] }
      }
    }
    return result
  }

  private func halvesSwapped(_ adapter: Parameter, _ source: any RecipeSource) throws -> [UInt8] {
    let bytes = try source.bytes(of: adapter.name)
    let length = bytes.count / adapter.shape[0]
    return (0..<adapter.shape[0]).flatMap { row in
      let start = row * length
      return bytes[(start + length / 2)..<(start + length)] + bytes[start..<(start + length / 2)]
    }
  }
}
