import ByteIO
import Kernels
import Transformer

/// A setting as a recipe spells it.
struct RecipeKey: Sendable {
  /// Keys from the outermost on, such as `optimizer.muon.learning_rate`.
  let path: String
  /// Whether its value is a list.
  let isList: Bool
  let get: @Sendable (TrainingSettings) -> [String]
  /// Takes the texts of the value, one unless it is a list; gives what is allowed when they are
  /// something else.
  let set: @Sendable (inout TrainingSettings, [String]) -> String?
  /// Every value, or item of a list, that there is; empty where they are no closed set.
  let values: [String]

  init(
    list path: String, of values: [String] = [],
    get: @escaping @Sendable (TrainingSettings) -> [String],
    set: @escaping @Sendable (inout TrainingSettings, [String]) -> String?
  ) {
    self.path = path
    self.values = values
    self.get = get
    self.set = set
    isList = true
  }

  init(
    path: String, of values: [String] = [], get: @escaping @Sendable (TrainingSettings) -> String,
    set: @escaping @Sendable (inout TrainingSettings, String) -> String?
  ) {
    self.path = path
    self.values = values
    self.get = { [get($0)] }
    self.set = { set(&$0, $1.first ?? "") }
    isList = false
  }

  static func find(_ path: String) -> RecipeKey? { all.first { $0.path == path } }

  /// Every setting, in the order of a printed recipe.
  static let all: [RecipeKey] =
    run + modes + recurrence + optimizer + schedule + data + beside

  private static let run: [RecipeKey] = [
    whole("steps", \.steps, 1...),
    whole("batch_size", \.batchSize, 1..., most: 1 << 20),
    whole("micro_batch_size", \.microBatchSize, 1..., most: 1 << 20),
    whole("sequence_length", \.sequenceLength, 1..., most: 1 << 24),
    RecipeKey(
      path: "seed", get: { "\($0.seed)" },
      set: { settings, text in
        guard let seed = UInt64(text) else { return "a whole number from 0" }
        settings.seed = seed
        return nil
      }),
    RecipeKey(
      path: "memory_budget", get: { $0.memoryBudget == 0 ? "auto" : "\($0.memoryBudget)" },
      set: { settings, text in
        guard let count = text == "auto" ? 0 : byteCount(text) else {
          return "auto, or bytes such as 16GiB"
        }
        settings.memoryBudget = count
        return nil
      }),
    choice("precision", \.precision, [.float32, .bf16]),
  ]

  private static let modes: [RecipeKey] = [
    choice("mode", \.mode, TrainingSettings.Mode.allCases),
    whole("lora.rank", \.lora.rank, 1..., most: 1 << 20),
    real("lora.alpha", \.lora.alpha, 0...),
    choices("lora.matrices", \.lora.matrices, TrainingSettings.LoRA.Matrix.allCases),
    choices("lora.whole", \.lora.whole, TrainingSettings.LoRA.Part.allCases),
    text("distillation.teacher", \.distillation.teacher),
    real("distillation.temperature", \.distillation.temperature, 0.01...),
    real("distillation.mix", \.distillation.mix, 0...1),
  ]

  private static let recurrence: [RecipeKey] =
    [
      whole("recurrence.fixed", \.recurrence.fixed, 0..., most: mostRecurrences),
      flag("recurrence.per_sequence", \.recurrence.isPerSequence),
      real("recurrence.settling", \.recurrence.settling, 0...),
      whole(
        "recurrence.supervision.depths", \.recurrence.supervision.depths, 0...,
        most: mostRecurrences),
      real("recurrence.supervision.weight", \.recurrence.supervision.weight, 0...),
      real("recurrence.supervision.distillation", \.recurrence.supervision.distillation, 0...1),
    ]
    + curriculum(
      "recurrence.mean", \.recurrence.mean.shape, \.recurrence.mean.start,
      \.recurrence.mean.end, \.recurrence.mean.extent)
    + curriculum(
      "recurrence.backprop_depth", \.recurrence.backpropDepth.shape,
      \.recurrence.backpropDepth.start, \.recurrence.backpropDepth.end,
      \.recurrence.backpropDepth.extent)

  private static let optimizer: [RecipeKey] = [
    RecipeKey(
      path: "optimizer.kind", of: OptimizerSettings.Kind.allCases.map(\.rawValue),
      get: { $0.optimizer.kind.rawValue },
      set: { settings, text in
        guard let kind = OptimizerSettings.Kind(rawValue: text) else {
          return OptimizerSettings.Kind.allCases.map(\.rawValue).joined(separator: ", ")
        }
        // Epsilon's default depends on the kind.
        if kind != settings.optimizer.kind {
          settings.optimizer.adam.epsilon = OptimizerSettings(kind).adam.epsilon
        }
        settings.optimizer.kind = kind
        return nil
      }),
    real("optimizer.clip", \.optimizer.clip, 0...),
    real("optimizer.muon.learning_rate", \.optimizer.muon.learningRate, 0...),
    real("optimizer.muon.momentum", \.optimizer.muon.momentum, 0...1),
    real("optimizer.muon.weight_decay", \.optimizer.muon.weightDecay, 0...),
    flag("optimizer.muon.nesterov", \.optimizer.muon.isNesterov),
    real("optimizer.adam.learning_rate", \.optimizer.adam.learningRate, 0...),
    real("optimizer.adam.beta1", \.optimizer.adam.beta1, 0...1),
    real("optimizer.adam.beta2", \.optimizer.adam.beta2, 0...1),
    real("optimizer.adam.epsilon", \.optimizer.adam.epsilon, 0...),
    real("optimizer.adam.weight_decay", \.optimizer.adam.weightDecay, 0...),
  ]

  private static let schedule: [RecipeKey] = [
    choice("schedule.shape", \.schedule.shape, LearningRateSchedule.Shape.allCases),
    extent("schedule.warmup", \.schedule.warmup),
    extent("schedule.cooldown", \.schedule.cooldown),
    real("schedule.floor", \.schedule.floor, 0...1),
  ]

  private static let formats = ["auto"] + DataKind.allCases.map(\.rawValue)

  private static let data: [RecipeKey] = [
    RecipeKey(
      list: "data.sources", get: { $0.data.sources },
      set: { settings, texts in
        settings.data.sources = texts
        return nil
      }),
    RecipeKey(
      path: "data.format", of: formats, get: { $0.data.format },
      set: { settings, text in
        guard formats.contains(text) else { return formats.joined(separator: ", ") }
        settings.data.format = text
        return nil
      }),
    flag("data.blank_lines_divide", \.data.splitsAtBlankLines),
    text("data.fields.text", \.data.fields.text),
    text("data.fields.prompt", \.data.fields.prompt),
    text("data.fields.completion", \.data.fields.completion),
    text("data.fields.messages", \.data.fields.messages),
    text("data.chat_template", \.data.chatTemplate),
    text("data.date", \.data.date),
    real("data.held_out", \.data.heldOut, 0...1),
    whole("data.epochs", \.data.epochs, 0...),
    flag("data.skip_bad_records", \.data.skipsBadRecords),
    flag("data.stream", \.data.isStreamed),
    whole("data.shuffle_buffer", \.data.shuffleBuffer, 1...),
    choice(
      "data.attention", \.data.attention, TrainingSettings.Data.Attention.allCases),
  ]

  private static let beside: [RecipeKey] = [
    whole("evaluation.every", \.evaluation.every, 0...),
    whole("evaluation.rows", \.evaluation.rows, 1...),
    RecipeKey(
      list: "evaluation.recurrences", get: { $0.evaluation.recurrences.map { "\($0)" } },
      set: { settings, texts in
        let numbers = texts.compactMap { Int($0) }
        guard numbers.count == texts.count, numbers.allSatisfy({ $0 > 0 }) else {
          return "whole numbers from 1"
        }
        settings.evaluation.recurrences = numbers
        return nil
      }),
    text("evaluation.questions", \.evaluation.questions),
    whole("checkpoints.every", \.checkpoints.every, 0...),
    whole("checkpoints.keep", \.checkpoints.keep, 1...),
    real("checkpoints.minutes", \.checkpoints.minutes, 0...1e6),
    flag("checkpoints.final", \.checkpoints.final),
  ]
}

// MARK: Kinds of settings

private typealias Place<Value> = any WritableKeyPath<TrainingSettings, Value> & Sendable

private func key(
  _ path: String, of values: [String] = [], get: @escaping @Sendable (TrainingSettings) -> String,
  set: @escaping @Sendable (inout TrainingSettings, String) -> String?
) -> RecipeKey {
  RecipeKey(path: path, of: values, get: get, set: set)
}

/// Most recurrences that a model runs (`Model.mostRecurrences`).
private let mostRecurrences = Model.mostRecurrences

/// - Parameter most: What no run can mean; sums and products of such numbers do not overflow.
private func whole(
  _ path: String, _ place: Place<Int>, _ range: PartialRangeFrom<Int>, most: Int = 1 << 40
) -> RecipeKey {
  key(
    path, get: { "\($0[keyPath: place])" },
    set: { settings, text in
      guard let value = Int(text), range.contains(value), value <= most else {
        return "a whole number from \(range.lowerBound) to \(most)"
      }
      settings[keyPath: place] = value
      return nil
    })
}

private func real(
  _ path: String, _ place: Place<Double>, _ range: some RangeExpression<Double> & Sendable
) -> RecipeKey {
  key(
    path, get: { "\($0[keyPath: place])" },
    set: { settings, text in
      guard let value = Double(text), value.isFinite, range.contains(value) else {
        if let range = range as? PartialRangeFrom<Double> {
          return "a number from \(shortest(range.lowerBound))"
        }
        return "a number from 0 to 1"
      }
      settings[keyPath: place] = value
      return nil
    })
}

private func shortest(_ value: Double) -> String {
  Int(exactly: value).map { "\($0)" } ?? "\(value)"
}

private func flag(_ path: String, _ place: Place<Bool>) -> RecipeKey {
  key(
    path, of: ["true", "false"], get: { "\($0[keyPath: place])" },
    set: { settings, text in
      guard let value = Bool(text) else { return "true, false" }
      settings[keyPath: place] = value
      return nil
    })
}

private func text(_ path: String, _ place: Place<String>) -> RecipeKey {
  key(
    path, get: { $0[keyPath: place] },
    set: { settings, text in
      settings[keyPath: place] = text
      return nil
    })
}

private func choice<Value: RawRepresentable<String> & Sendable>(
  _ path: String, _ place: Place<Value>, _ values: [Value]
) -> RecipeKey {
  let names = values.map(\.rawValue)
  return key(
    path, of: names, get: { $0[keyPath: place].rawValue },
    set: { settings, text in
      guard let value = Value(rawValue: text) else { return names.joined(separator: ", ") }
      settings[keyPath: place] = value
      return nil
    })
}

private func choices<Value: RawRepresentable<String> & Sendable>(
  _ path: String, _ place: Place<[Value]>, _ values: [Value]
) -> RecipeKey {
  let names = values.map(\.rawValue)
  return RecipeKey(
    list: path, of: names, get: { $0[keyPath: place].map(\.rawValue) },
    set: { settings, texts in
      let chosen = texts.compactMap { Value(rawValue: $0) }
      guard chosen.count == texts.count else { return "a list of " + names.joined(separator: ", ") }
      settings[keyPath: place] = chosen
      return nil
    })
}

/// Steps when it is a whole number, a share of the run when it has a point.
private func extent(_ path: String, _ place: Place<Extent>) -> RecipeKey {
  key(
    path, get: { $0[keyPath: place].text },
    set: { settings, text in
      guard let extent = Extent(text) else {
        return "a number of steps, or a share from 0.0 to 1.0"
      }
      settings[keyPath: place] = extent
      return nil
    })
}

private func curriculum(
  _ path: String, _ shape: Place<Curriculum.Shape>, _ start: Place<Int>, _ end: Place<Int>,
  _ ramp: Place<Extent>
) -> [RecipeKey] {
  [
    choice("\(path).shape", shape, Curriculum.Shape.allCases),
    whole("\(path).start", start, 0..., most: mostRecurrences),
    whole("\(path).end", end, 1..., most: mostRecurrences),
    extent("\(path).ramp", ramp),
  ]
}
