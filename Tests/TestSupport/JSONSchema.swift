import ByteIO
package import JSON

/// A JSON Schema, as far as `formats/schemas/` goes: type, properties, required,
/// additionalProperties, items, minItems, maxItems, enum, const, anyOf and $ref.
package struct JSONSchema {
  private let folder: String
  private let root: JSONValue

  /// Reads `name` in `folder`; references are to files beside it.
  package init(_ name: String, in folder: String) throws {
    self.folder = folder
    let path = folder + "/" + name
    root = try JSONValue(parsing: ByteRegion(path: path).contents(limit: 1 << 20), path: path)
  }

  /// What breaks the schema in `value`, each with its place; empty when nothing does.
  package func faults(in value: JSONValue) throws -> [String] { try faults(value, root, at: "$") }

  private func faults(
    _ value: JSONValue, _ schema: JSONValue, at place: String
  ) throws -> [String] {
    if let reference = schema["$ref"]?.string { return try faults(value, reference, at: place) }
    var faults: [String] = []
    if let type = schema["type"] {
      let names = type.array?.compactMap(\.string) ?? [type.string ?? ""]
      guard names.contains(where: { Self.matches(value, $0) }) else {
        return ["\(place) is not \(names.joined(separator: " or "))"]
      }
      if value.isNull { return [] }
    }
    if let constant = schema["const"], constant != value { faults.append("\(place) is another") }
    if let values = schema["enum"]?.array, !values.contains(value) {
      faults.append("\(place) is \(value.text())")
    }
    if let choices = schema["anyOf"]?.array {
      let found = try choices.map { try self.faults(value, $0, at: place) }
      if !found.contains(where: \.isEmpty) { faults += found.flatMap { $0 } }
    }
    if let object = value.object { faults += try members(object, schema, at: place) }
    if let elements = value.array {
      let count = elements.count
      if count < schema["minItems"]?.integer ?? 0 || count > schema["maxItems"]?.integer ?? .max {
        faults.append("\(place) has \(count) elements")
      }
      guard let items = schema["items"] else { return faults }
      for (i, element) in elements.enumerated() {
        faults += try self.faults(element, items, at: "\(place)[\(i)]")
      }
    }
    return faults
  }

  private func members(
    _ object: JSONObject, _ schema: JSONValue, at place: String
  ) throws -> [String] {
    var faults: [String] = []
    for name in schema["required"]?.array?.compactMap(\.string) ?? [] where object[name] == nil {
      faults.append("\(place).\(name) is missing")
    }
    for member in object.members {
      let here = "\(place).\(member.key)"
      if let own = schema["properties"]?[member.key] {
        faults += try self.faults(member.value, own, at: here)
      } else if schema["additionalProperties"]?.bool == false {
        faults.append("\(here) is not in the schema")
      } else if let other = schema["additionalProperties"], other.object != nil {
        faults += try self.faults(member.value, other, at: here)
      }
    }
    return faults
  }

  /// `#/$defs/NAME` of this file, or of another.
  private func faults(
    _ value: JSONValue, _ reference: String, at place: String
  ) throws -> [String] {
    let parts = reference.split(separator: "#", omittingEmptySubsequences: false)
    let other = parts[0].isEmpty ? self : try JSONSchema(String(parts[0]), in: folder)
    let name = parts[1].split(separator: "/").last.map(String.init) ?? ""
    guard let schema = other.root["$defs"]?[name] else { return ["no schema \(reference)"] }
    return try other.faults(value, schema, at: place)
  }

  private static func matches(_ value: JSONValue, _ type: String) -> Bool {
    switch type {
    case "null": value.isNull
    case "boolean": value.bool != nil
    case "string": value.string != nil
    case "integer": value.integer != nil
    case "number": value.double != nil
    case "array": value.array != nil
    case "object": value.object != nil
    default: false
    }
  }
}
