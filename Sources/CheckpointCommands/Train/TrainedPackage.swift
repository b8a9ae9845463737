import ArgumentParser
import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Recurrence
import RecurrentPackage
import Tensors
import Training

/// Writes trained parameters as a package like the one they came from.
struct TrainedPackage {
  let model: OpenedModel
  let settings: TrainingSettings

  func write(
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
    _ = try PackageWriter(contents, source: source).write(to: folder)
  }

  private func config(_ type: ElementType) -> JSONObject {
    var config = model.checkpoint.config ?? model.graph.config
    for key in ["torch_dtype", "dtype"] where config[key] != nil {
      config[key] = .string(type == .f32 ? "float32" : type == .f16 ? "float16" : "bfloat16")
    }
    if config["mean_recurrence"] != nil {
      let fixed = settings.recurrence.fixed
      config["mean_recurrence"] = JSONValue(fixed > 0 ? fixed : settings.recurrence.mean.end)
      config["mean_backprop_depth"] = JSONValue(settings.recurrence.backpropDepth.end)
    }
    return config
  }

  /// The package's other files, with a card that tells of the training.
  private func sideFiles(_ progress: TrainerProgress) throws -> [PackageContents.SideFile] {
    let made = Manifest.unlisted + ["config.json"]
    return try model.checkpoint.sideFiles.filter { !made.contains($0.name) }.map { file in
      guard file.name == "README.md" else {
        return PackageContents.SideFile(name: file.name, region: file.region)
      }
      let text = String(decoding: try file.region.contents(limit: 1 << 24), as: UTF8.self)
      return PackageContents.SideFile(
        name: file.name,
        text: PackageContents.healedCard(text, steps: progress.step, tokens: progress.tokens))
    }
  }

  /// What the source's manifest recorded, and this run after the runs before it.
  private func record(_ progress: TrainerProgress) throws -> JSONObject {
    var record: JSONObject = [
      "tool": ["name": "ckpt", "version": .string(CheckpointCommand.configuration.version)]
    ]
    var runs: [JSONValue] = []
    if let file = model.checkpoint.sideFiles.first(where: { $0.name == Manifest.name }) {
      let manifest = try JSONValue(
        parsing: file.region.contents(limit: 1 << 28), path: file.region.path)
      if let retrofit = manifest["retrofit"] { record["retrofit"] = retrofit }
      runs = manifest["training"]?.array ?? []
    }
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
