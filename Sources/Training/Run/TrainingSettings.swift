package import Kernels
package import Transformer

/// Every setting of a run but its package and its output folder.
package struct TrainingSettings: Equatable, Sendable {
  package var steps = 1000
  /// Sequences a step.
  package var batchSize = 8
  /// Sequences that run at once; the gradients of a step's micro-batches are added up.
  package var microBatchSize = 4
  /// Tokens a sequence.
  package var sequenceLength = 256
  package var seed: UInt64 = 74
  /// Bytes that the run may take; 0 lets what it takes beside weights, gradients and optimizer state
  /// be a quarter of these, or 256 MiB.
  package var memoryBudget = 0
  package var precision = Precision.float32
  package var mode = Mode.full
  package var lora = LoRA()
  package var distillation = Distillation()
  package var recurrence = Recurrence()
  package var optimizer = OptimizerSettings(.muon)
  package var schedule = LearningRateSchedule(
    .warmupStableDecay, warmup: .share(0.0025), cooldown: .share(0.6))
  package var data = Data()
  package var evaluation = Evaluation()
  package var checkpoints = Checkpoints()

  package init() {}

  /// What is trained.
  package enum Mode: String, CaseIterable, Sendable {
    case full
    /// The adapter alone, or the decays that stand in its place.
    case adapter
    /// Low-rank factors of the blocks' matrices, and what `lora.whole` names.
    case lora
  }

  /// Low-rank adaptation, in `mode: lora`.
  package struct LoRA: Equatable, Sendable {
    package var rank = 16
    /// The product of the factors counts `alpha / rank`.
    package var alpha = 32.0
    package var matrices = Matrix.allCases
    /// Trained as they are, beside the factors.
    package var whole = [Part.adapter]

    package init() {}

    /// Matrices of a block, under the names of `BlockRole`.
    package enum Matrix: String, CaseIterable, Sendable {
      case query, key, value, output, gate, up, down
    }

    package enum Part: String, CaseIterable, Sendable {
      case adapter, norms, embedding, head
    }
  }

  /// Learning from another model's distributions beside the labels.
  package struct Distillation: Equatable, Sendable {
    /// The model's path; empty for none.
    package var teacher = ""
    package var temperature = 2.0
    /// Share of the loss that the teacher makes up.
    package var mix = 0.5

    package init() {}
  }

  package struct Recurrence: Equatable, Sendable {
    /// r in every micro-batch; 0 draws it.
    package var fixed = 0
    /// Whether each sequence of a micro-batch draws its own r.
    package var isPerSequence = false
    /// Weight of a penalty on the last pass's step; 0 for none.
    package var settling = 0.0
    /// Losses of shallower states.
    package var supervision = DeepSupervision()
    package var mean = Curriculum(.oneMinusSquareRoot, to: 8, over: .share(0.75))
    package var backpropDepth = Curriculum.constant(8)

    package init() {}

    /// What the run ends at, and its model recurs by itself.
    package var final: Int { fixed > 0 ? fixed : mean.end }
  }

  package struct Data: Equatable, Sendable {
    /// `PATH` or `PATH:WEIGHT`.
    package var sources: [String] = []
    /// `auto` decides by the file's content.
    package var format = "auto"
    package var splitsAtBlankLines = false
    package var fields = TextFormat.Fields()
    /// A file of Jinja that makes text of conversations; `model` takes the model's own.
    package var chatTemplate = "model"
    /// The date that a chat template writes, `YYYY-MM-DD`; empty refuses templates that write one.
    package var date = ""
    /// Share of the rows that is held out.
    package var heldOut = 0.05
    /// How often the data may be read; 0 as often as the steps need.
    package var epochs = 0
    package var skipsBadRecords = false
    package var attention = Attention.sequence
    /// Whether documents are read while the run trains, and not tokenised before it.
    package var isStreamed = false
    /// Documents that are shuffled at a time, where they are streamed.
    package var shuffleBuffer = 10_000

    /// What a token sees of those before it.
    package enum Attention: String, CaseIterable, Sendable {
      /// All of its sequence.
      case sequence
      /// Its own document.
      case document
    }

    package init() {}
  }

  package struct Evaluation: Equatable, Sendable {
    /// Steps between evaluations; 0 only before the first and after the last step.
    package var every = 0
    /// Held-out rows, at most.
    package var rows = 16
    package var recurrences = [1, 2, 4, 8]
    /// A file of documents that are scored at each evaluation; empty for none.
    package var questions = ""

    package init() {}
  }

  package struct Checkpoints: Equatable, Sendable {
    /// Steps between checkpoints that are kept; 0 for none.
    package var every = 0
    /// Checkpoints kept beside the best one, where there are steps between them.
    package var keep = 2
    /// Minutes of training after which a checkpoint is written in any case; 0 for never.
    package var minutes = 10.0
    /// Whether the last step leaves a checkpoint, from which the run can be extended.
    package var final = true

    /// Checkpoints that stay when another is written.
    var kept: Int { every > 0 ? keep : 1 }

    package init() {}
  }

  /// The most passes with gradient that a step makes.
  package var deepestBackprop: Int {
    let depth = max(recurrence.backpropDepth.start, recurrence.backpropDepth.end)
    let passes =
      recurrence.fixed > 0 ? recurrence.fixed : max(recurrence.mean.start, recurrence.mean.end)
    return min(depth, passes)
  }

  package var sampler: RecurrenceSampler {
    RecurrenceSampler(
      mean: recurrence.mean, backpropDepth: recurrence.backpropDepth,
      fixed: recurrence.fixed > 0 ? recurrence.fixed : nil, seed: seed)
  }
}

extension TrainingSettings {
  /// The largest divisor of the batch size that is not above the micro-batch size.
  package var effectiveMicroBatchSize: Int {
    (1...max(1, min(microBatchSize, batchSize))).last { batchSize % $0 == 0 } ?? 1
  }

  /// Throws when so many ranks cannot share a step's micro-batches evenly.
  package func checkDivides(among ranks: Int) throws(TrainingError) {
    let size = effectiveMicroBatchSize
    guard batchSize / size % ranks == 0 else {
      throw TrainingError(
        .unevenShares(ranks: ranks, batchSize: batchSize, microBatchSize: size))
    }
  }
}
