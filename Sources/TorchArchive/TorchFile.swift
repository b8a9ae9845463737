package import ByteIO
public import Tensors

/// An open PyTorch weight file: `.bin`, `.pt` or `.pth`, in any of its three layouts.
///
/// Opening reads the frame and the pickle, never the storages, and never executes anything: the
/// pickle is interpreted symbolically. Rules: `formats/torch-archive.md`.
public struct TorchFile: TensorContainer {
  /// How the file is put together.
  public enum Layout: String, Sendable {
    /// Since 1.6: a zip archive with the pickle and a record for each storage.
    case zip
    /// 0.1.10 to 1.5: pickles one after another, then the storages.
    case legacy
    /// Before 0.1.10.
    case tar
  }

  /// Which of the three layouts the file has.
  public let layout: Layout
  /// Name of the file, for messages.
  package let path: String
  /// In order of their position in the file.
  public let tensors: [TensorRecord]
  package let warnings: [Warning]
  /// Every class and function that the pickle names, in order of first mention.
  package let globals: [PickleGlobal]
  /// Tensors that are the same view of the same storage as an earlier one: their index, and its.
  package let ties: [Int: Int]
  /// Whether numbers in the file are big-endian.
  package let isBigEndian: Bool

  let region: ByteRegion
  let views: [TensorView]
  let storages: [String: StorageSource]
  let zip: ZipDirectory?
  let inflated: InflatedStorages

  /// Opens the file at `path`: reads its frame and its pickle, and no storage.
  ///
  /// - Throws: A `DiagnosedError`.
  public init(path: String) throws { try self.init(ByteRegion(path: path)) }

  package init(_ region: ByteRegion) throws(TorchError) {
    let contents = try TorchContents(region)
    try contents.refuseShard()
    let dictionary = try StateDictionary(contents.graph)
    let table = try TensorTable(dictionary, contents)
    try contents.refusePlaceholders(table)
    self.region = region
    path = region.path
    layout = contents.layout
    globals = contents.graph.globals
    isBigEndian = contents.isBigEndian
    storages = contents.storages
    zip = contents.zip
    inflated = InflatedStorages(region)
    views = table.entries.map(\.view)
    ties = table.ties
    warnings =
      contents.warnings + contents.dangers + dictionary.warnings + contents.notes
      + table.warnings(path: region.path)
    let isBigEndian = contents.isBigEndian
    tensors = table.entries.map { entry in
      let part = Self.direct(entry.view, contents.storages, isBigEndian: isBigEndian)
      return TensorRecord(
        name: entry.name, type: .element(entry.view.type), shape: entry.view.sizes,
        byteCount: entry.view.byteCount, file: region.path, offset: part?.start)
    }
  }

  package func region(of index: Int) -> ByteRegion? {
    Self.direct(views[index], storages, isBigEndian: isBigEndian)
  }

  /// The bytes of a view that lie in the file as they are wanted.
  private static func direct(
    _ view: TensorView, _ storages: [String: StorageSource], isBigEndian: Bool
  ) -> ByteRegion? {
    guard view.isContiguous, !isBigEndian || view.type.bitWidth == 8,
      case .plain(let region)? = storages[view.storage]?.content
    else { return nil }
    let start = view.offset * view.elementSize
    return region.subregion(start..<(start + view.byteCount))
  }
}
