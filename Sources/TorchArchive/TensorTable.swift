import ByteIO
import Tensors

/// The tensors of a file in order of their position, each with its view of a storage that is there.
struct TensorTable {
  struct Entry {
    var name: TensorName
    var view: TensorView
  }

  /// What the tensors may take when written out, beyond four times their storages, in bytes.
  static let expansionLimit = 1 << 30

  private(set) var entries: [Entry] = []
  private(set) var ties: [Int: Int] = [:]

  init(_ dictionary: StateDictionary, _ contents: TorchContents) throws(TorchError) {
    var placed: [(entry: Entry, position: Int, order: Int)] = []
    for (name, node) in dictionary.tensors {
      do throws(TorchError) {
        let (view, storage) = try contents.graph.tensor(node)
        let source = try Self.source(of: storage, contents)
        if case .deflated = source.content, !view.isContiguous,
          source.byteCount > InflatedStorages.wholeLimit
        {
          throw TorchError(
            .tensor(
              .compressedView(
                byteCount: source.byteCount, limit: InflatedStorages.wholeLimit)),
            path: contents.graph.path)
        }
        let position = source.position + view.offset * view.elementSize
        placed.append((Entry(name: name, view: view), position, placed.count))
      } catch {
        var error = error
        error.name = error.name ?? name
        throw error
      }
    }
    placed.sort { ($0.position, $0.order) < ($1.position, $1.order) }
    entries = placed.map(\.entry)
    ties = Self.ties(entries)
    try checkExpansion(contents)
  }

  /// PT-40 and PT-41: the record is there, and has the size that the pickle says.
  private static func source(
    of storage: StorageMention, _ contents: TorchContents
  ) throws(TorchError) -> StorageSource {
    func fail(_ problem: TensorProblem) -> TorchError {
      TorchError(.tensor(problem), path: contents.graph.path)
    }
    guard !storage.key.isEmpty, !storage.key.utf8.contains(UInt8(ascii: "/")) else {
      throw fail(.storageKey(storage.key))
    }
    guard let source = contents.storages[storage.key] else {
      throw fail(.storageMissing(key: storage.key))
    }
    guard source.byteCount == storage.byteCount else {
      throw fail(
        .storageSize(key: storage.key, expected: storage.byteCount, actual: source.byteCount))
    }
    return source
  }

  private static func ties(_ entries: [Entry]) -> [Int: Int] {
    var first: [TensorView: Int] = [:]
    var ties: [Int: Int] = [:]
    for (i, entry) in entries.enumerated() where entry.view.elementCount > 0 {
      if let earlier = first[entry.view] { ties[i] = earlier } else { first[entry.view] = i }
    }
    return ties
  }

  /// PT-46: views that repeat elements cannot make much of little.
  private func checkExpansion(_ contents: TorchContents) throws(TorchError) {
    let used = Set(entries.map(\.view.storage))
    let stored = used.reduce(0) { $0 + (contents.storages[$1]?.byteCount ?? 0) }
    let (fourfold, overflow) = stored.multipliedReportingOverflow(by: 4)
    let limit =
      overflow
      ? Int.max
      : fourfold.addingReportingOverflow(Self.expansionLimit)
        .partialValue
    var total = 0
    for (i, entry) in entries.enumerated() where ties[i] == nil {
      let (sum, overflow) = total.addingReportingOverflow(entry.view.byteCount)
      guard !overflow, sum <= limit else {
        throw TorchError(
          .tensor(.expanded(byteCount: overflow ? .max : sum, limit: limit)),
          path: contents.graph.path, tensor: entry.name)
      }
      total = sum
    }
  }

  func warnings(path: String) -> [Warning] {
    var warnings: [Warning] = []
    for (i, j) in ties.sorted(by: { $0.key < $1.key }) {
      warnings.append(
        Warning(
          "pt.tied", "the same values as \(entries[j].name)", file: path,
          tensor: entries[i].name.string))
    }
    var views: [String: Int] = [:]
    for (i, entry) in entries.enumerated() where ties[i] == nil && entry.view.elementCount > 0 {
      views[entry.view.storage, default: 0] += 1
    }
    let shared = views.values.count { $0 > 1 }
    if shared > 0 {
      warnings.append(
        Warning(
          "pt.shared_storage",
          "\(shared) storages are shared by different tensors; each tensor is written on its own",
          file: path))
    }
    return warnings
  }
}
