import ByteIO
import Conversion
import JSON
import Reports

/// What `ckpt convert` wrote.
struct ConvertReport: Report {
  static let command = "convert"

  var next: String? { NextCommand.inspect(output) }

  var model: String
  var output: String
  var target: Conversion.Target
  var written: Conversion.Result
  var warnings: [Warning]

  var json: JSONObject {
    [
      "model": .string(model), "output": .string(output), "format": .string(target.rawValue),
      "tensors": JSONValue(written.tensors),
      "files": .array(
        written.files.map {
          [
            "name": .string($0.name), "bytes": JSONValue($0.byteCount),
            "sha256": .string($0.digest.description),
          ]
        }),
    ]
  }

  var text: String {
    "\(output): \(counted(written.tensors, "tensor")), \(counted(written.files.count, "file"))\n"
      + written.files.map { "  \($0.digest)  \($0.name)  \($0.byteCount) bytes\n" }.joined()
  }
}
