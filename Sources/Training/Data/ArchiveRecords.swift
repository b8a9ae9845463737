import Archives
import ByteIO
import JSON

/// The samples of a WebDataset: members of a tar archive whose names are alike up to the first point.
///
/// What follows the point names a field: `0001.txt` is the field `text`, the members of the object in
/// `0001.json` are fields themselves, other members are not looked at.
struct ArchiveRecords: RecordSource {
  private let path: String
  private let members: ArchiveMembers
  private var pending: (name: String, bytes: [UInt8])?

  /// Bytes of the largest member that is read.
  private static let limit = 1 << 26

  init(_ path: String) throws {
    self.path = path
    members = try ArchiveMembers(path)
  }

  mutating func next() throws -> Record? {
    var (key, object) = (Substring(), JSONObject())
    while let (name, bytes) = try pending ?? readMember() {
      pending = nil
      let parts = Self.parts(name)
      if !object.isEmpty, parts.key != key {
        pending = (name, bytes)
        break
      }
      key = parts.key
      let place = DataError.Place.member(name)
      if parts.field == "json" {
        for member in try JSONObject(record: bytes, path, place).members {
          object[member.key] = member.value
        }
      } else {
        guard let text = String(validating: bytes, as: UTF8.self) else {
          throw DataError(.invalidUTF8, path, place)
        }
        object["text"] = .string(text)
      }
    }
    return object.isEmpty ? nil : Record(object, .member(String(key)))
  }

  /// The next member that is a field.
  private func readMember() throws -> (name: String, bytes: [UInt8])? {
    while let name = try members.next() {
      let field = Self.parts(name).field
      guard field == "txt" || field == "json" || field == "text" else { continue }
      return (name, try members.contents(limit: Self.limit))
    }
    return nil
  }

  /// A member's name up to the first point after the last slash, and what follows.
  private static func parts(_ name: String) -> (key: Substring, field: Substring) {
    let base = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
    guard let point = name[base...].firstIndex(of: ".") else { return (name[...], "") }
    return (name[..<point], name[name.index(after: point)...])
  }
}
