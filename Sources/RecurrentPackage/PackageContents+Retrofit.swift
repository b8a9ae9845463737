package import ByteIO
package import Checkpoint
import JSON
import ModelGraph
package import Recurrence

extension PackageContents {
  /// What a retrofit of `checkpoint` contains.
  ///
  /// - Parameters:
  ///   - repository: Where the source came from, for the card; nil for what the source says.
  ///   - toolVersion: Recorded in the manifest and the card.
  ///   - sources: The files that bytes are taken from, whose digests are recorded.
  package init(
    _ plan: RetrofitPlan, of checkpoint: Checkpoint, sources: [ByteRegion],
    repository: String? = nil, toolVersion: ToolVersion
  ) throws {
    let kept = checkpoint.sideFiles.filter { SideFiles.isTakenOver($0.name) }
    let generation = try Self.generation(plan, kept.first { $0.name == "generation_config.json" })
    let card = ModelCard(
      plan: plan, checkpoint: checkpoint, repository: repository, toolVersion: toolVersion)
    let fresh = [
      SideFile(name: "README.md", text: try card.text()),
      SideFile(name: "generation_config.json", text: generation),
    ]
    var record: JSONObject = [
      "tool": toolVersion.record, "retrofit": plan.record,
    ]
    let history = try checkpoint.history()
    for key in ["initialisation", "training"] { record[key] = history[key] }
    self.init(
      parameters: plan.parameters, config: plan.config,
      sideFiles: fresh
        + kept.filter { $0.name != "generation_config.json" }.map {
          SideFile(name: $0.name, region: $0.region)
        },
      sources: sources,
      record: record,
      metadata: [
        ("ckpt.layers", plan.layerMap), ("ckpt.version", toolVersion.number), ("format", "pt"),
      ])
  }

  /// Things that a user should know before a package is made of the source in this way.
  package static func warnings(
    for plan: RetrofitPlan, of checkpoint: Checkpoint
  ) throws(FileError) -> [Warning] {
    let names = checkpoint.sideFiles.map(\.name)
    var warnings: [Warning] = []
    if !SideFiles.hasTokenizer(names) {
      warnings.append(
        Warning(
          "source.no_tokenizer", "the source has no tokenizer, so the package has none",
          file: checkpoint.path))
    }
    let unknown = plan.unknownToPublishedCode
    if !unknown.isEmpty {
      warnings.append(
        Warning(
          "package.unpublished",
          "the published modelling code has the names of this package, but does not know "
            + unknown.joined(separator: ", ") + "; use ckpt, or load an exported folder"))
    }
    if let license = try SourceLicense(of: checkpoint), let notice = license.notice {
      warnings.append(
        Warning(
          "source.license_notice",
          "the licence \(license.id) asks that a model made from this one be shared with the words "
            + "\"\(notice)\", under a name that starts with Llama"))
    }
    return warnings
  }

  /// The card of a package, after its model was trained for so many more steps.
  ///
  /// - Parameter recurrence: Recurrences when none are asked for, before and after.
  package static func healedCard(
    _ text: String, steps: Int, tokens: Int, recurrence: (old: Int, new: Int)
  ) -> String {
    ModelCard.healed(text, steps: steps, tokens: tokens, recurrence: recurrence)
  }

  /// The source's generation settings with its own token ids and the number of recurrences.
  private static func generation(
    _ plan: RetrofitPlan, _ file: Checkpoint.SideFile?
  ) throws -> String {
    var fields = JSONObject()
    if let region = file?.region,
      case .object(let stated) = try JSONValue(
        parsing: region.contents(limit: 1 << 20), path: region.path)
    {
      fields = stated
      fields["_from_model_config"] = nil
    } else {
      for key in ["bos_token_id", "eos_token_id", "pad_token_id"] {
        if let id = plan.source.config[key], !id.isNull { fields[key] = id }
      }
    }
    fields["num_steps"] = JSONValue(plan.result.recurrence?.meanRecurrence)
    return JSONValue.object(fields.sorted).text(indent: 2) + "\n"
  }
}

extension RetrofitPlan {
  /// `0-3/10-17/18-21`, from the result, whatever it was made from.
  package var layerMap: String {
    guard let body = result.recurrence else { return "" }
    return [body.prelude, body.core, body.coda]
      .map { LayerSelection.ranges($0.map(\.sourceLayer)) }.joined(separator: "/")
  }

  /// The choices that decided the package's bytes, for the manifest.
  fileprivate var record: JSONValue {
    [
      "adapter": result.config["adapter_init"] ?? config["adapter_init"] ?? .null,
      "dialect": .string(options.dialect.rawValue),
      "layers": .string(layerMap), "passes": .array(passes.map { .string($0) }),
      "source_family": .string(source.family),
      "source_layers": JSONValue(source.blocks.count),
    ]
  }
}
