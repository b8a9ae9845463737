import ByteIO
import JSON

/// What `ckpt convert` wrote.
struct ConvertReport: Report {
  static let command = "convert"

  struct File {
    var name: String
    var byteCount: Int
    var digest: Digest

    init(name: String, _ written: WrittenFile) {
      self.name = name
      byteCount = written.byteCount
      digest = written.digest
    }
  }

  var model: String
  var output: String
  var target: ConvertTarget
  var tensors: Int
  var files: [File]
  var warnings: [Warning]

  var json: JSONObject {
    [
      "model": .string(model), "output": .string(output), "format": .string(target.rawValue),
      "tensors": JSONValue(tensors),
      "files": .array(
        files.map {
          [
            "name": .string($0.name), "bytes": JSONValue($0.byteCount),
            "sha256": .string($0.digest.description),
          ]
        }),
    ]
  }

  var text: String {
    "\(output): \(counted(tensors, "tensor")), \(counted(files.count, "file"))\n"
      + files.map { "  \($0.digest)  \($0.name)  \($0.byteCount) bytes\n" }.joined()
  }
}
