package import ByteIO
import JSON
import Tensors

extension Manifest {
  /// The manifest's text: keys in byte order, no clock, the same bytes for the same package.
  package var text: String {
    var fields = record
    fields["schema"] = .string(Self.schema)
    fields["root"] = ["algorithm": "sha256", "digest": .string(root.description)]
    fields["files"] = .array(files.map(\.json))
    fields["source_files"] = .array(sources.map(\.json))
    fields["tensors"] = .array(tensors.map(\.json))
    return JSONValue.object(fields.sorted).text(indent: 1) + "\n"
  }

  /// Reads what `text` writes, and checks the root digest (RP-2 to RP-4, RP-7).
  package init(_ region: ByteRegion) throws {
    let path = region.path
    let value = try JSONValue(parsing: region.contents(limit: 256 << 20), path: path)
    func malformed(_ member: String) -> PackageError {
      PackageError(.malformedManifest(member: member), path: path)
    }
    guard var fields = value.object, let schema = fields["schema"]?.string else {
      throw malformed("schema")
    }
    guard schema == Self.schema else { throw PackageError(.unknownSchema(schema), path: path) }
    func list<Element>(_ key: String, _ make: (JSONValue) -> Element?) throws -> [Element] {
      guard let values = fields[key]?.array else { throw malformed(key) }
      return try values.enumerated().map { i, value in
        guard let element = make(value) else { throw malformed("\(key)[\(i)]") }
        return element
      }
    }
    let files = try list("files", File.init(json:))
    let tensors = try list("tensors", Tensor.init(json:))
    let sources = try list("source_files", File.init(json:))
    guard let text = fields["root"]?["digest"]?.string, let stated = Digest(hexadecimal: text)
    else { throw malformed("root") }
    for key in ["files", "tensors", "source_files", "root", "schema"] { fields[key] = nil }
    self.init(files: files, tensors: tensors, sources: sources, record: fields)
    try PackagePath.check(self.files.map(\.path), in: path)
    guard root == stated else {
      throw PackageError(.wrongRoot(found: root, wanted: stated), path: path)
    }
  }
}

extension Manifest.File {
  fileprivate var json: JSONValue {
    [
      "path": .string(path), "sha256": .string(digest.description), "size": JSONValue(byteCount),
    ]
  }

  fileprivate init?(json: JSONValue) {
    guard let path = json["path"]?.string, let size = json["size"]?.integer, size >= 0,
      let digest = json["sha256"]?.string.flatMap(Digest.init(hexadecimal:))
    else { return nil }
    self.init(path: path, byteCount: size, digest: digest)
  }
}

extension Manifest.Tensor {
  fileprivate var json: JSONValue {
    [
      "dtype": .string(type.rawValue), "file": .string(file),
      "from": .array(parts.map(\.json)), "name": .string(name.string),
      "offset": JSONValue(offset), "operations": .array(operations.map { .string($0) }),
      "sha256": .string(digest.description), "shape": .array(shape.map { JSONValue($0) }),
      "size": JSONValue(byteCount),
    ]
  }

  fileprivate init?(json: JSONValue) {
    guard let name = json["name"]?.string, let file = json["file"]?.string,
      let offset = json["offset"]?.integer, let size = json["size"]?.integer,
      let type = json["dtype"]?.string.flatMap(ElementType.init(rawValue:)),
      let shape = json["shape"]?.array?.map(\.integer), !shape.contains(nil),
      let digest = json["sha256"]?.string.flatMap(Digest.init(hexadecimal:)),
      let operations = json["operations"]?.array?.map(\.string), !operations.contains(nil),
      let parts = json["from"]?.array?.map(Manifest.Part.init(json:))
    else { return nil }
    let known = parts.compactMap { $0 }
    guard known.count == parts.count else { return nil }
    self.init(
      name: TensorName(name), file: file, offset: offset, byteCount: size, type: type,
      shape: shape.compactMap { $0 }, digest: digest, operations: operations.compactMap { $0 },
      parts: known)
  }
}

extension Manifest.Part {
  fileprivate var json: JSONValue {
    [
      "dtype": .string(type), "file": .string(file), "offset": JSONValue(offset),
      "rows": [JSONValue(rows.lowerBound), JSONValue(rows.upperBound)],
      "size": JSONValue(byteCount), "tensor": .string(tensor.string),
    ]
  }

  fileprivate init?(json: JSONValue) {
    guard let tensor = json["tensor"]?.string, let file = json["file"]?.string,
      let size = json["size"]?.integer, let type = json["dtype"]?.string,
      let rows = json["rows"]?.array?.compactMap(\.integer), rows.count == 2, rows[0] >= 0,
      rows[0] <= rows[1]
    else { return nil }
    self.init(
      tensor: TensorName(tensor), rows: rows[0]..<rows[1], file: file,
      offset: json["offset"]?.integer, byteCount: size, type: type)
  }
}
