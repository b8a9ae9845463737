import ByteIO
import JSON
import PackageTraining

extension PreparedData {
  var json: JSONObject {
    [
      "recipe": .string(recipe),
      "sources": .array(
        sources.map { source in
          [
            "path": .string(source.path), "file": .string(source.file),
            "tokens": JSONValue(source.tokens), "documents": JSONValue(source.documents),
            "skipped_records": JSONValue(source.skippedRecords),
          ]
        }),
    ]
  }

  var text: String {
    var table = TextTable([
      ("Source", .left), ("Tokens", .right), ("Documents", .right), ("Left out", .right),
      ("File", .left),
    ])
    for source in sources {
      table.add([
        source.path, grouped(source.tokens), source.documents.map { grouped($0) } ?? "",
        source.skippedRecords.map { grouped($0) } ?? "", source.file,
      ])
    }
    return table.text() + "\nRecipe  \(recipe)\n"
  }
}
