import ByteIO
import Tensors

/// A storage as a pickle mentions it: what a persistent id says.
struct StorageMention: Equatable {
  var key: String
  /// Name of the class, for messages.
  var className: String
  /// Nil for the untyped storage, whose elements are bytes.
  var type: ElementType?
  var elementCount: Int
  var byteCount: Int
  /// A view into the storage, in elements (legacy files).
  var view: View?

  struct View: Equatable {
    var offset: Int
    var elementCount: Int
  }
}

extension PickleGraph {
  /// Whether the tuple `id` begins with the text `tag`.
  func isTagged(_ tag: String, _ id: NodeID) -> Bool {
    guard case .tuple(let span) = self[id], span.count > 0,
      case .text(let first) = self[links[span.range.lowerBound]]
    else { return false }
    return bytes[first.range].elementsEqual(tag.utf8)
  }

  /// Reads `("storage", class, key, location, element count[, view])`.
  func storage(_ id: NodeID) throws(TorchError) -> StorageMention {
    guard isTagged("storage", id), case .tuple(let span) = self[id],
      (5...6).contains(span.count)
    else { throw error(.persistentID) }
    let parts = Array(links[span.range])
    guard let name = global(parts[1]) else { throw error(.persistentID) }
    guard case .storage(let type)? = name.known else {
      throw TorchError(.tensor(.storageType(name.description)), path: path)
    }
    guard case .text = self[parts[2]] else {
      throw TorchError(.tensor(.storageKey(describe(parts[2]))), path: path)
    }
    let key = try text(parts[2])
    if (try? text(parts[3])) == "meta" {
      throw TorchError(.tensor(.kind("the meta device, which keeps no values")), path: path)
    }
    let count = try integer(parts[4])
    guard count >= 0 else {
      throw TorchError(.tensor(.negative("storage size", count)), path: path)
    }
    guard let bytes = StorageType.element(type ?? .u8).byteCount(elements: count) else {
      throw TorchError(.tensor(.overflow), path: path)
    }
    return StorageMention(
      key: key, className: name.description, type: type, elementCount: count, byteCount: bytes,
      view: parts.count == 6 ? try view(parts[5]) : nil)
  }

  /// Reads `(key, offset, element count)` or None.
  private func view(_ id: NodeID) throws(TorchError) -> StorageMention.View? {
    if case .none = self[id] { return nil }
    let parts = Array(try elements(id))
    guard parts.count == 3 else { throw error(.persistentID) }
    return StorageMention.View(
      offset: try integer(parts[1]), elementCount: try integer(parts[2]))
  }
}
