package import ByteIO
import Checkpoint
import JSON
import ModelGraph
package import Models
import Recurrence
import RecurrentPackage
package import Tensors
package import Training

/// Writes trained parameters as a package like the one they came from.
package struct TrainedPackage {
  private let model: OpenedModel
  private let settings: TrainingSettings
  /// A GGUF file's tokenizer as files among them.
  private let sourceFiles: [Checkpoint.SideFile]
  /// Of a tokenizer that could not be taken over.
  package let warnings: [Warning]

  package init(model: OpenedModel, settings: TrainingSettings) throws {
    self.model = model
    self.settings = settings
    let (checkpoint, warnings) = try model.checkpoint.withTokenizerFiles()
    sourceFiles = checkpoint.sideFiles
    self.warnings = warnings
  }

  package func write(
    _ source: any RecipeSource, to folder: String, progress: TrainerProgress, as type: ElementType
  ) throws {
    let parameters = model.graph.parameters.map { parameter in
      Parameter(
        name: parameter.name, shape: parameter.shape, type: type,
        recipe: Recipe(
          Recipe.copy(parameter.name, rows: parameter.shape.first ?? 1).content,
          as: type == .f32 ? nil : type))
    }
    let contents = PackageContents(
      parameters: parameters, config: config(type), sideFiles: try sideFiles(progress), sources: [],
      record: try record(progress),
      metadata: [("ckpt.trained_steps", "\(progress.step)"), ("format", "pt")])
    var options = WriteOptions()
    options.force = true
    _ = try PackageWriter(contents, source: source, options: options).write(to: folder)
  }

  private func config(_ type: ElementType) -> JSONObject {
    var config = model.checkpoint.config ?? model.graph.config
    for key in ["torch_dtype", "dtype"] where config[key] != nil {
      config[key] = .string(type.torchName)
    }
    if config["total_ut_steps"] != nil { config["total_ut_steps"] = JSONValue(recurrence) }
    if config["mean_recurrence"] != nil {
      config["mean_recurrence"] = JSONValue(recurrence)
      config["mean_backprop_depth"] = JSONValue(settings.recurrence.backpropDepth.end)
      // An exported folder says how many layers that executes.
      let executed = model.graph.recurrence.map { JSONValue($0.executions(recurrence)) }
      let stored = config["n_layers"]
      for key in ["num_hidden_layers", "effective_expected_depth"]
      where config[key] != nil && stored != nil { config[key] = executed }
    }
    return config
  }

  /// Recurrences when none are asked for: what training ended at.
  var recurrence: Int { settings.recurrence.final }

  /// The package's other files, those changed that tell of the training or of its recurrences.
  private func sideFiles(_ progress: TrainerProgress) throws -> [PackageContents.SideFile] {
    let made = Manifest.unlisted + ["config.json"]
    return try sourceFiles.filter { !made.contains($0.name) }.map { file in
      switch file.name {
      case "README.md":
        let text = String(decoding: try file.region.contents(limit: 1 << 24), as: UTF8.self)
        return PackageContents.SideFile(name: file.name, text: card(text, progress))
      case "generation_config.json": return try generation(file)
      default: return PackageContents.SideFile(name: file.name, region: file.region)
      }
    }
  }

  private func card(_ text: String, _ progress: TrainerProgress) -> String {
    let old = model.graph.recurrence?.meanRecurrence ?? recurrence
    return PackageContents.healedCard(
      text, steps: progress.step, tokens: progress.tokens, recurrence: (old, recurrence))
  }

  private func generation(_ file: Checkpoint.SideFile) throws -> PackageContents.SideFile {
    let value = try JSONValue(parsing: file.region.contents(limit: 1 << 20), path: file.region.path)
    guard case .object(var fields) = value, fields["num_steps"] != nil else {
      return PackageContents.SideFile(name: file.name, region: file.region)
    }
    fields["num_steps"] = JSONValue(recurrence)
    let text = JSONValue.object(fields.sorted).text(indent: 2) + "\n"
    return PackageContents.SideFile(name: file.name, text: text)
  }

  /// What the source's manifest recorded, and this run after the runs before it.
  private func record(_ progress: TrainerProgress) throws -> JSONObject {
    var record: JSONObject = [
      "tool": ToolVersion.current.record
    ]
    let history = try model.checkpoint.history()
    for key in ["initialisation", "retrofit"] { record[key] = history[key] }
    var runs = history["training"]?.array ?? []
    runs.append([
      "steps": JSONValue(progress.step), "tokens": JSONValue(progress.tokens),
      "updates": JSONValue(progress.updates), "skipped": JSONValue(progress.skipped),
      "flops": JSONValue(progress.flops), "flops_full": JSONValue(progress.fullFLOPs),
      "recipe": .string(TrainingRecipe.text(of: settings)),
    ])
    record["training"] = .array(runs)
    return record
  }
}
