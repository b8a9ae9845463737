package import ByteIO
package import Checkpoint
import JSON
package import ModelGraph
import Recurrence
package import RecurrentPackage
package import Tensors

/// A folder for Hugging Face transformers, before any of it is written.
///
/// It has a manifest, as a package does: `ckpt` reads and verifies what it exported.
package struct ExportedFolder: Sendable {
  package var contents: PackageContents
  /// The model that the folder holds.
  package var graph: ModelGraph
  /// Why plain layers compute the same; nil for a folder that recurs.
  package var reason: String?

  /// What is exported, and in which form.
  package struct Source: Sendable {
    package var checkpoint: Checkpoint
    package var graph: ModelGraph
    /// The files that tensors are read from.
    package var inputs: [ByteRegion]
    package var toolVersion: ToolVersion
    /// Type of all tensors; nil keeps each as it is.
    package var type: ElementType?
    /// A section of the card that says how deep the model may be run.
    package var depthNotes: String?

    package init(
      _ checkpoint: Checkpoint, _ graph: ModelGraph, inputs: [ByteRegion],
      toolVersion: ToolVersion, type: ElementType? = nil
    ) {
      self.checkpoint = checkpoint
      self.graph = graph
      self.inputs = inputs
      self.toolVersion = toolVersion
      self.type = type
    }
  }

  /// The recurrent model with code of ours, in the names of the published retrofits.
  ///
  /// - Parameter recurrence: Passes that the folder says, and that engines run; nil keeps the
  ///   model's own mean.
  package static func recurrent(
    _ source: Source, for form: RecurrentForm = .transformers, recurrence: Int? = nil
  ) throws -> ExportedFolder {
    var source = source
    let body = try Self.recurrence(of: source)
    if let recurrence {
      let pass = SetRecurrence(mean: recurrence, backprop: body.meanBackpropDepth)
      source.graph = try source.graph.applying([pass])
    }
    try source.graph.checkModellingCode(for: form)
    var options = RetrofitOptions()
    options.head = .keep
    options.type = source.type
    // The code has a module for each expert.
    let plan = try RetrofitPlan(source.graph.applying([SeparateExperts()]), options)
    var config = plan.config
    config["architectures"] = ["RecurrentForCausalLM"]
    // What the code computes; it knows no families.
    config["block_specs"] = plan.result.blockSpecs.map { .object($0) }
    // How the adapter started is no claim that training elsewhere would keep true.
    config["adapter_init"] = nil
    if source.graph.hasField("attention_bias"), let spec = source.graph.blocks.first?.spec {
      config["attention_bias"] = .bool(spec.attention.queryKeyValueBias)
      config["mlp_bias"] = .bool(spec.mlp.bias)
    }
    for member in form.members.members { config[member.key] = member.value }
    if form == .mlx { config = plan.result.readableWithoutCode(config) }
    return ExportedFolder(
      contents: try source.contents(
        plan.parameters, config: config, card: RecurrentCard(source, form).text(),
        more: form.code, record: record(.string(form.rawValue), recurrence)),
      graph: plan.result, reason: nil)
  }

  /// Refuses what no exported folder computes.
  private static func recurrence(of source: Source) throws(ExportError) -> RecurrentBody {
    guard let body = source.graph.recurrence else {
      throw ExportError(.notRecurrent, file: source.checkpoint.path)
    }
    guard !body.meetsFinalNorm else {
      throw ExportError(
        .recursByItself(family: source.graph.family), file: source.checkpoint.path)
    }
    return body
  }

  private static func record(_ target: JSONValue, _ recurrence: Int?) -> JSONObject {
    var record: JSONObject = ["to": target]
    if let recurrence { record["recurrence"] = JSONValue(recurrence) }
    return record
  }

  /// The model at `recurrence` passes as a plain model of its family, where that computes the same.
  package static func unrolled(_ source: Source, recurrence: Int) throws -> ExportedFolder {
    let body = try Self.recurrence(of: source)
    let values = try InjectionValues(body, from: source.checkpoint)
    let form: PlainForm
    do { form = try PlainForm(body, values, recurrence: recurrence) } catch {
      throw ExportError(error.problem, file: source.checkpoint.path)
    }
    var passes: [any GraphPass] = [Unroll(repeats: form.repeats)]
    if let type = source.type { passes.append(Cast(to: type)) }
    let graph = try source.graph.applying(passes)
    let config = try graph.plainConfig()
    let card = PlainCard(
      source: source, className: graph.className ?? graph.family, recurrence: recurrence,
      form: form, graph: graph)
    return ExportedFolder(
      contents: try source.contents(
        graph.parameters, config: config, card: card.text(), more: [],
        record: record("unrolled", recurrence)),
      graph: graph, reason: form.reason)
  }
}

extension ExportedFolder.Source {
  /// The folder's contents: the tensors, and everything beside them.
  fileprivate func contents(
    _ parameters: [Parameter], config: JSONObject, card: String,
    more: [PackageContents.SideFile], record: JSONObject
  ) throws -> PackageContents {
    let made = ["README.md", "generation_config.json"]
    let kept = checkpoint.sideFiles.filter {
      SideFiles.isTakenOver($0.name) && !made.contains($0.name)
    }
    var members: JSONObject = ["tool": toolVersion.record]
    members["export"] = .object(record)
    // What was done before stays on record.
    for member in try checkpoint.history().members { members[member.key] = member.value }
    return PackageContents(
      parameters: parameters, config: config,
      sideFiles: [
        .init(name: "README.md", text: card),
        .init(name: "generation_config.json", text: try generationConfig()),
      ] + kept.map { .init(name: $0.name, region: $0.region) } + more,
      sources: inputs, record: members,
      metadata: [("ckpt.version", toolVersion.number), ("format", "pt")])
  }

  /// The model's generation settings without `num_steps`: transformers would take it for a setting of
  /// its own, and a caller's number would never reach the model.
  private func generationConfig() throws -> String {
    var fields = JSONObject()
    if let file = checkpoint.sideFiles.first(where: { $0.name == "generation_config.json" }),
      case .object(let stated) = try JSONValue(
        parsing: file.region.contents(limit: 1 << 20), path: file.region.path)
    {
      fields = stated
      fields["num_steps"] = nil
      fields["transformers_version"] = nil
    } else {
      for key in ["bos_token_id", "eos_token_id", "pad_token_id"] {
        if let id = graph.config[key], !id.isNull { fields[key] = id }
      }
    }
    return JSONValue.object(fields.sorted).text(indent: 2) + "\n"
  }
}
