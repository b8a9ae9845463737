import ByteIO
import JSON

/// Folders that Hugging Face's `datasets` writes (`save_to_disk`), and the names that the hub gives files.
enum SavedDataset {
  private static let limit = 1 << 24

  /// The files that `state.json` lists, in its order; nil when there is none.
  static func files(in folder: String) throws -> [String]? {
    if let splits = try object("dataset_dict.json", in: folder)?["splits"]?.array {
      throw DataError(.severalSplits(splits.compactMap(\.string)), folder)
    }
    guard let state = try object("state.json", in: folder) else { return nil }
    guard let list = state["_data_files"]?.array else { return nil }
    return try list.map { entry in
      guard let name = entry["filename"]?.string, !name.isEmpty, !name.contains("/"),
        name != "..", try pathKind("\(folder)/\(name)") == .file
      else {
        throw DataError(
          .badDescription("it lists a file that is not there: \(entry.text())"),
          "\(folder)/state.json")
      }
      return "\(folder)/\(name)"
    }
  }

  private static func object(_ name: String, in folder: String) throws -> JSONObject? {
    let path = "\(folder)/\(name)"
    guard try pathKind(path) != nil else { return nil }
    let bytes = try ByteRegion(path: path).contents(limit: limit)
    return try JSONValue(parsing: bytes, path: path).object
  }

  /// Throws when files are called as parts of several splits: `train-00000-of-00002.parquet`.
  static func requireOneSplit(_ paths: [String], of folder: String) throws(DataError) {
    var splits: Set<String> = []
    for path in paths {
      let name = path.split(separator: "/").last ?? ""
      guard let match = name.firstMatch(of: /^(.+)-\d{5}-of-\d{5}\./) else { continue }
      splits.insert(String(match.output.1))
    }
    guard splits.count < 2 else {
      throw DataError(.severalSplits(splits.sorted().map { "\($0)-*" }), folder)
    }
  }
}
