import ByteIO
import JSON
import ModelGraph
import Platform
import Recurrence
import RecurrentPackage
import Reports
import Tensors

/// What a retrofit is, to the last tensor, and what was written of it.
struct RetrofitReport: Report {
  static let command = "retrofit"

  /// After a dry run, the same command without that option.
  var next: String? {
    guard let output, root != nil else {
      return NextCommand.writing(processArguments(), hasOutput: output != nil)
    }
    return NextCommand.verify(output, source: model)
  }

  var model: String
  var output: String?
  var plan: RetrofitPlan
  var source: any RecipeSource
  /// Bytes of the package.
  var byteCount: Int
  var warnings: [Warning]
  /// Root digest of the package; nil when nothing was written.
  var root: Digest?

  /// Recurrences whose effective parameters are shown, the package's own among them.
  private var depths: [Int] {
    Set([1, 4, 8, 32, plan.result.recurrence?.meanRecurrence ?? 1]).sorted()
  }

  private var groups: [(name: String, blocks: [Block])] {
    guard let body = plan.result.recurrence else { return [] }
    return [("prelude", body.prelude), ("core", body.core), ("coda", body.coda)]
  }

  private var dropped: [Int] { plan.options.selection?.dropped(of: plan.source.blocks.count) ?? [] }

  // MARK: JSON

  var json: JSONObject {
    var layers = JSONObject()
    for group in groups {
      layers[group.name] = .array(group.blocks.map { JSONValue($0.sourceLayer) })
    }
    layers["dropped"] = .array(dropped.map { JSONValue($0) })
    return [
      "model": .string(model), "output": JSONValue(root == nil ? nil : output),
      "dry_run": .bool(root == nil), "family": .string(plan.source.family),
      "prelude_scale": plan.options.preludeScale.map { JSONValue($0) } ?? .null,
      "layers": .object(layers), "selection": .string(plan.layerMap),
      "passes": .array(plan.passes.map { .string($0) }),
      "parameters": [
        "source": json(plan.sourceCounts), "package": json(plan.counts),
        "effective": .object(
          JSONObject(
            depths.map {
              .init(key: "\($0)", value: JSONValue(plan.counts.effective(recurrences: $0)))
            })),
      ],
      "bytes": JSONValue(byteCount), "root": JSONValue(root?.description),
      "tensors": .array(plan.parameters.map(json(of:))),
      "config_changes": .array(
        plan.configChanges.map {
          ["field": .string($0.key), "old": $0.old ?? .null, "new": $0.new ?? .null]
        }),
      "config": .object(plan.config),
    ]
  }

  private func json(_ counts: ParameterCounts) -> JSONValue {
    [
      "total": JSONValue(counts.total), "blocks": JSONValue(counts.blocks),
      "prelude": JSONValue(counts.prelude), "core": JSONValue(counts.core),
      "coda": JSONValue(counts.coda), "adapter": JSONValue(counts.adapter),
      "core_norm": JSONValue(counts.coreNorm), "final_norm": JSONValue(counts.finalNorm),
      "embedding": JSONValue(counts.embedding), "head": JSONValue(counts.head),
    ]
  }

  private func json(of parameter: Parameter) -> JSONValue {
    [
      "name": .string(parameter.name.string), "dtype": .string(parameter.type.rawValue),
      "shape": .array(parameter.shape.map { JSONValue($0) }),
      "bytes": JSONValue(parameter.byteCount),
      "operations": .array(operations(parameter).map { .string($0) }),
      "from": .array(
        parameter.recipe.sources.map {
          [
            "tensor": .string(source.record($0.tensor)?.name.string ?? $0.tensor.string),
            "rows": [JSONValue($0.rows.lowerBound), JSONValue($0.rows.upperBound)],
          ]
        }),
    ]
  }

  private func operations(_ parameter: Parameter) -> [String] {
    parameter.recipe.operations(on: source)
  }

  // MARK: Text

  var text: String {
    var text = root == nil ? "Plan for \(model), nothing written\n\n" : "Wrote \(output ?? "")\n\n"
    text += layerTable + "\n" + "Passes\n"
    text += plan.passes.map { "  \($0)\n" }.joined() + "\n" + countTable
    if root == nil { text += "\n" + tensorTable + "\n" + configTable }
    if let scale = plan.options.preludeScale {
      text += "\nPrelude's output on the text: root mean square \(fixed(scale, 4))\n"
    }
    text += "\nSize  \(byteSize(byteCount)), \(plan.parameters.count) tensors\n"
    if let root { text += "Root  \(root)\n" }
    return text
  }

  private var layerTable: String {
    var table = TextTable([("Part", .left), ("Layers", .right), ("Source layers", .left)])
    for group in groups {
      table.add([
        group.name, "\(group.blocks.count)",
        LayerSelection.ranges(group.blocks.map(\.sourceLayer)),
      ])
    }
    if !dropped.isEmpty {
      table.add(["dropped", "\(dropped.count)", LayerSelection.ranges(dropped)])
    }
    return table.text()
  }

  private var countTable: String {
    let (old, new) = (plan.sourceCounts, plan.counts)
    var table = TextTable([("Parameters", .left), ("Source", .right), ("Package", .right)])
    let rows = [
      ("blocks", old.blocks, new.blocks),
      (plan.result.recurrence?.injection.kind.part ?? "adapter", old.adapter, new.adapter),
      ("norms outside blocks", old.finalNorm + old.coreNorm, new.finalNorm + new.coreNorm),
      ("embedding", old.embedding, new.embedding), ("head", old.head, new.head),
      ("all", old.total, new.total),
    ]
    for row in rows { table.add([row.0, grouped(row.1), grouped(row.2)]) }
    for depth in depths {
      let count = grouped(new.effective(recurrences: depth))
      table.add(["layers, unrolled at r = \(depth)", "", count])
    }
    return table.text()
  }

  private var tensorTable: String {
    var table = TextTable([
      ("Tensor", .left), ("Type", .left), ("Shape", .left), ("Size", .right), ("Made by", .left),
      ("From", .left),
    ])
    for parameter in plan.parameters {
      let names = parameter.recipe.sources.map {
        source.record($0.tensor)?.name.string ?? $0.tensor.string
      }
      table.add([
        parameter.name.string, parameter.type.rawValue,
        parameter.shape.map(String.init).joined(separator: "×"), byteSize(parameter.byteCount),
        operations(parameter).joined(separator: "; "), names.joined(separator: ", "),
      ])
    }
    return table.text()
  }

  private var configTable: String {
    var table = TextTable([("Configuration", .left), ("Source", .left), ("Package", .left)])
    for change in plan.configChanges {
      table.add([change.key, change.old?.text() ?? "", change.new?.text() ?? ""])
    }
    return table.text()
  }
}
