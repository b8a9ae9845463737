import ByteIO
import JSON
import ModelGraph
import RecurrentPackage
import Reports
import TransformersExport

/// What `ckpt export` wrote.
struct ExportReport: Report {
  static let command = "export"

  var model: String
  var output: String
  var target: Export.Target
  /// Recurrences that were asked for.
  var recurrence: Int?
  var folder: ExportedFolder
  var written: WrittenPackage
  var warnings: [Warning]

  var next: String? {
    target == .unrolled
      ? NextCommand.generate(output, recurrence: nil) : NextCommand.verify(output)
  }

  var json: JSONObject {
    [
      "model": .string(model), "output": .string(output), "to": .string(target.rawValue),
      "recurrence": JSONValue(recurrence), "reason": JSONValue(folder.reason),
      "layers": JSONValue(folder.graph.blocks.count),
      "tensors": JSONValue(written.manifest.tensors.count), "bytes": JSONValue(written.byteCount),
      "root": .string(written.manifest.root.description),
      "files": .array(
        written.manifest.files.map {
          [
            "name": .string($0.path), "bytes": JSONValue($0.byteCount),
            "sha256": .string($0.digest.description),
          ]
        }),
    ]
  }

  var text: String {
    let size = "\(written.manifest.tensors.count) tensors, \(byteSize(written.byteCount))"
    guard let reason = folder.reason else { return "Wrote \(output): \(size)\n\n\(loading)\n" }
    return """
      Wrote \(output): \(folder.graph.blocks.count) plain layers, \(size)
      Exact at r = \(recurrence ?? 1): \(reason).

      """
  }

  /// How the folder is loaded in Python.
  private var loading: String {
    if target == .mlx {
      return """
        from mlx_lm import load
        model, tokenizer = load("\(output)", trust_remote_code=True)
        """
    }
    return """
      from transformers import AutoModelForCausalLM
      model = AutoModelForCausalLM.from_pretrained("\(output)", trust_remote_code=True)
      """
  }
}
