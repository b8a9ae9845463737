package import ByteIO
import Tensors

/// A model whose tensors are spread over several GGUF files (GG-16).
///
/// The first file holds the model's metadata; each holds `split.no` (from 0), `split.count` and
/// `split.tensors.count`, and their names differ in the number only: `NAME-00001-of-00003.gguf`.
package enum GGUFSplit {
  /// Names, without folder, of all files of the model that `file` is a part of, in order; nil when
  /// it is not split.
  package static func fileNames(of file: GGUFFile) throws(GGUFError) -> [String]? {
    guard let (number, count) = try place(of: file) else { return nil }
    let name = file.path.split(separator: "/").last.map(String.init) ?? file.path
    let ending = ending(number, of: count)
    guard name.hasSuffix(ending) else {
      throw GGUFError(.splitName(count: count), path: file.path)
    }
    let stem = name.dropLast(ending.count)
    return (0..<count).map { stem + Self.ending($0, of: count) }
  }

  /// All files of the model that `file` is a part of, in order and checked against each other; just
  /// `file` when it is not split.
  ///
  /// - Parameter sibling: Gives the file of that name beside `file`; nil when there is none.
  package static func files(
    of file: GGUFFile, sibling: (String) throws -> ByteRegion?
  ) throws -> [GGUFFile] {
    guard let names = try fileNames(of: file), let own = try place(of: file) else { return [file] }
    var files: [GGUFFile] = []
    var missing: [String] = []
    for (number, name) in names.enumerated() {
      if number == own.number {
        files.append(file)
      } else if let region = try sibling(name) {
        files.append(try GGUFFile(region))
      } else {
        missing.append(name)
      }
    }
    if let first = missing.first {
      let isAlone = missing.count == names.count - 1
      throw GGUFError(
        isAlone ? .splitAlone(number: own.number + 1, of: own.count) : .splitMissing(first),
        path: file.path)
    }
    try check(files)
    return files
  }

  private static func check(_ files: [GGUFFile]) throws(GGUFError) {
    for (number, file) in files.enumerated() {
      try check(file, "split.no", is: number)
      try check(file, "split.count", is: files.count)
    }
    let tensorCount = files.reduce(0) { $0 + $1.tensors.count }
    for file in files { try check(file, "split.tensors.count", is: tensorCount) }
  }

  private static func check(
    _ file: GGUFFile, _ key: String, is expected: Int
  ) throws(GGUFError) {
    let found = try integer(key, of: file)
    guard found == expected else {
      throw GGUFError(.splitMismatch(key: key, expected: expected, found: found), path: file.path)
    }
  }

  /// Which of how many files `file` is, from 0; nil when it is not split.
  private static func place(of file: GGUFFile) throws(GGUFError) -> (number: Int, count: Int)? {
    guard file["split.count"] != nil else { return nil }
    let count = try integer("split.count", of: file)
    if count == 0 || count == 1 { return nil }
    let number = try integer("split.no", of: file)
    guard count <= 99_999 else { throw GGUFError(.splitKey("split.count"), path: file.path) }
    guard number < count else { throw GGUFError(.splitKey("split.no"), path: file.path) }
    return (number, count)
  }

  private static func integer(_ key: String, of file: GGUFFile) throws(GGUFError) -> Int {
    guard let value = file[key]?.integer, value >= 0 else {
      throw GGUFError(.splitKey(key), path: file.path)
    }
    return value
  }

  private static func ending(_ number: Int, of count: Int) -> String {
    func digits(_ value: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
    return "-\(digits(number + 1))-of-\(digits(count)).gguf"
  }
}
